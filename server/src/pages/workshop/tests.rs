use super::*;

fn page() -> WorkshopPage {
    WorkshopPage {
        style_nonce: "c0ffee".into(),
        languages: vec![
            LanguageChoice {
                name: "c".into(),
                display_name: "C".into(),
                main_file: "main.c".into(),
                available: true,
                version: Some("clang 22.1.3".into()),
                reason: None,
            },
            LanguageChoice {
                name: "rust".into(),
                display_name: "Rust".into(),
                main_file: "main.rs".into(),
                available: false,
                version: None,
                reason: Some("rustc is not installed.".into()),
            },
        ],
        language: "c".into(),
        starter: "fern".into(),
        code: "\nint main(void) { return 1 < 2 && \"</textarea>\"; }".into(),
        starters: vec![StarterLink { name: "fern".into(), language: "c".into(), description: "Grows a fern.".into() }],
        starters_json: r#"{"starters":[{"name":"fern","files":{"main.c":"</script><script>"}}]}"#.into(),
        limits: vec![LimitLine::bytes("Memory", 128 << 20, "an instance"), LimitLine::milliseconds("Wall time", 10_000, "a request")],
        ttl_seconds_default: 86_400,
        ..WorkshopPage::default()
    }
}

fn full(page: &WorkshopPage) -> String {
    rendered(WorkshopTemplate::of(page, Files { script: "/assets/main-1.js".into(), ..Files::default() }).render())
}

fn plain(page: &WorkshopPage) -> String {
    rendered(PlainTemplate { page: WorkshopTemplate::of(page, Files::default()) }.render())
}

#[test]
fn code_is_text_within_the_form_and_cannot_leave_it() {
    for html in [full(&page()), plain(&page())] {
        assert!(html.contains("&#60;/textarea") || html.contains("&lt;/textarea"), "{html}");
        assert_eq!(html.matches("</textarea>").count(), 2, "the code and the input");
        assert!(html.contains("method=\"post\" action=\"/\""));
    }
}

#[test]
fn embedded_json_cannot_end_its_element() {
    let html = full(&page());
    assert!(html.contains(r#""main.c":"\u003c/script>\u003cscript>""#));
}

#[test]
fn the_page_is_clean_under_its_policy() {
    let html = full(&page());
    assert!(!html.contains(" style="), "no style attribute");
    assert!(!html.contains(" onclick"));
    assert!(html.matches("<script").count() == 4, "two files and two of data");
    assert!(workshop_policy("c0ffee", "http://*.localhost:7879").contains("style-src 'self' 'nonce-c0ffee'"));
}

#[test]
fn an_unavailable_language_cannot_be_chosen_and_says_why() {
    let html = full(&page());
    assert!(html.contains("title=\"rustc is not installed.\""));
    assert!(html.contains("value=\"rust\" disabled"));
}

#[test]
fn a_live_result_shows_the_url_and_the_preview() {
    let deployment = DeploymentLine {
        url: "http://fern-k3v9.localhost:7879/".into(),
        path_url: "http://127.0.0.1:7879/_d/fern-k3v9/".into(),
        revision: 2,
        expires_at: "tomorrow".into(),
    };
    let result = FormResult {
        deployment: Some(deployment),
        stages: vec![StageTime { name: "build".into(), microseconds: 62_400.0 }],
        ..FormResult::default()
    };
    let html = full(&WorkshopPage { result: Some(result.clone()), ..page() });
    assert!(html.contains("data-state=\"live\" data-view=\"service\""));
    assert!(html.contains("src=\"http://fern-k3v9.localhost:7879/\""));
    assert!(html.contains("<b id=\"url-slug\">fern-k3v9</b>"));
    assert!(html.contains("62.4 ms"));
    assert!(plain(&WorkshopPage { result: Some(result), ..page() }).contains("http://127.0.0.1:7879/_d/fern-k3v9/"));
}

#[test]
fn a_failed_build_says_what_still_answers() {
    let deployment = DeploymentLine { url: "http://fern-k3v9.localhost:7879/".into(), revision: 7, ..DeploymentLine::default() };
    let diagnostics =
        vec![DiagnosticLine { severity: "error".into(), place: "main.c:25:25".into(), message: "use of <undeclared>".into() }];
    let html =
        full(&WorkshopPage { result: Some(FormResult { deployment: Some(deployment), diagnostics, ..FormResult::default() }), ..page() });
    assert!(html.contains("Build failed<span class=\"wide\">: 1 error, r7 still live</span>"), "{html}");
    assert!(html.contains("main.c:25:25"));
    assert!(!html.contains("<undeclared>"));
}

#[test]
fn a_command_shows_its_output_and_exit_code() {
    let command = CommandOutput { exit_code: Some(3), stdout: "six\n".into(), stderr: "warned\n".into(), ..CommandOutput::default() };
    let html = full(&WorkshopPage { result: Some(FormResult { command: Some(command), ..FormResult::default() }), ..page() });
    assert!(html.contains("data-state=\"exited\" data-view=\"command\""));
    assert!(html.contains("exit 3"));
    assert!(html.contains("six\n<span class=\"err\">warned\n</span>"));
}

#[test]
fn without_a_front_end_the_page_says_how_to_build_it() {
    assert!(plain(&page()).contains("make web"));
}
