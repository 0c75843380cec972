//! Ways to make a server send requests where nobody may: each is tried, none may arrive. Whoever is reached all the same listens on every address of this
//! host; names are answered by the test.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, TcpListener};
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::{TlsAcceptor, rustls};
use vivarium_abi::{FetchFailure, Origin};

use super::connecting::{Connector, public_roots};
use super::failure::Failed;
use super::names::{Names, Resolving};
use super::proxy::{Local, Proxy};
use crate::limits::Limits;
use crate::workshop::deployments::checked_backend;

/// How an origin is written; PORT is where the victim listens. The second word is what the origin's name resolves to.
const EVASIONS: [(&str, &str); 68] = [
    // This host, as it is.
    ("http://127.0.0.1:PORT", ""),
    ("http://127.0.0.2:PORT", ""),
    ("http://127.255.255.254:PORT", ""),
    ("http://0.0.0.0:PORT", ""),
    ("http://[::1]:PORT", ""),
    ("http://[::]:PORT", ""),
    ("http://[0:0:0:0:0:0:0:1]:PORT", ""),
    ("http://localhost:PORT", "127.0.0.1"),
    ("http://LOCALHOST:PORT", "127.0.0.1"),
    ("http://localhost.:PORT", "127.0.0.1"),
    ("http://anything.localhost:PORT", "1.1.1.1"),
    // IPv4 inside IPv6.
    ("http://[::ffff:127.0.0.1]:PORT", ""),
    ("http://[::ffff:7f00:1]:PORT", ""),
    ("http://[::ffff:0:127.0.0.1]:PORT", ""),
    ("http://[::127.0.0.1]:PORT", ""),
    ("http://[64:ff9b::127.0.0.1]:PORT", ""),
    ("http://[64:ff9b:1::127.0.0.1]:PORT", ""),
    ("http://[2002:7f00:1::]:PORT", ""),
    ("http://[2001:0:7f00:1::]:PORT", ""),
    // Numbers that some read as addresses.
    ("http://2130706433:PORT", "127.0.0.1"),
    ("http://0x7f000001:PORT", "127.0.0.1"),
    ("http://017700000001:PORT", "127.0.0.1"),
    ("http://0x7f.0.0.1:PORT", "127.0.0.1"),
    ("http://0177.0.0.1:PORT", "127.0.0.1"),
    ("http://127.1:PORT", "127.0.0.1"),
    ("http://127.0.1:PORT", "127.0.0.1"),
    ("http://0:PORT", "127.0.0.1"),
    ("http://127.0.0.1.:PORT", "127.0.0.1"),
    ("http://127.000.000.001:PORT", "127.0.0.1"),
    // Networks of others, and of nobody.
    ("http://10.0.0.1:PORT", ""),
    ("http://172.16.0.1:PORT", ""),
    ("http://192.168.0.1:PORT", ""),
    ("http://169.254.169.254", ""),
    ("http://100.100.100.200", ""),
    ("http://192.0.0.192", ""),
    ("http://198.18.0.1", ""),
    ("http://224.0.0.1", ""),
    ("http://255.255.255.255", ""),
    ("http://[fe80::1]:PORT", ""),
    ("http://[fe80::1%25lo]:PORT", ""),
    ("http://[fc00::1]", ""),
    ("http://[fd00:ec2::254]", ""),
    ("http://[fec0::1]", ""),
    ("http://[ff02::1]", ""),
    // What is written around a host.
    ("http://example.org@127.0.0.1:PORT", ""),
    ("http://127.0.0.1:PORT@example.org", "1.1.1.1"),
    ("http://127.0.0.1:PORT#@example.org", "1.1.1.1"),
    ("http://127.0.0.1:PORT\\@example.org", "1.1.1.1"),
    ("http://127%2e0%2e0%2e1:PORT", "127.0.0.1"),
    ("http://１２７.0.0.1:PORT", "127.0.0.1"),
    ("http://127.0.0.1:PORT/path", ""),
    ("http://127.0.0.1\t:PORT", ""),
    ("http://example.org\r\nHost: 127.0.0.1:PORT", ""),
    ("gopher://127.0.0.1:PORT", ""),
    ("file:///etc/passwd", ""),
    ("http://example.org:0PORT:80", "127.0.0.1"),
    // Names that mean such an address.
    ("http://loopback.test:PORT", "127.0.0.1"),
    ("http://six.test:PORT", "::1"),
    ("http://mapped.test:PORT", "::ffff:127.0.0.1"),
    ("http://any.test:PORT", "0.0.0.0"),
    ("http://private.test:PORT", "10.1.2.3"),
    ("http://metadata.test", "169.254.169.254"),
    ("http://ends-in-a-dot.test.:PORT", "127.0.0.1"),
    ("http://one-of-two.test:PORT", "1.1.1.1 127.0.0.1"),
    ("http://last-of-many.test:PORT", "1.1.1.1 1.0.0.1 8.8.8.8 8.8.4.4 9.9.9.9 ::1"),
    ("http://translated.test:PORT", "64:ff9b::7f00:1"),
    // Private when it is asked first, public when it is asked again: there is no second time.
    ("http://rebinding.test:PORT", "127.0.0.1 then 1.1.1.1"),
    ("https://loopback.test:PORT", "127.0.0.1"),
];

/// Answers as the test says, and counts how often it was asked.
#[derive(Default)]
struct Told {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Rc<RefCell<Vec<String>>>,
}

impl Names for Told {
    fn addresses<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        let before = self.asked.borrow().iter().filter(|asked| *asked == name).count();
        self.asked.borrow_mut().push(name.to_owned());
        let answers = self.answers.get(name).and_then(|answers| answers.get(before).or(answers.last())).cloned();
        Box::pin(async move { answers.ok_or_else(|| Failed::new(FetchFailure::DnsError, "nobody knows it")) })
    }
}

impl Told {
    fn of(name: &str, answers: &str) -> Told {
        let parse = |list: &str| list.split_whitespace().map(|address| address.parse().unwrap()).collect();
        Told { answers: [(name.to_owned(), answers.split(" then ").map(parse).collect())].into(), asked: Rc::default() }
    }
}

fn on_one_thread(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, story);
}

/// Asks a proxy of its own, as a gateway does.
async fn ask(names: Told, configured: &[Origin], roots: RootCertStore, request: Request<Full<Bytes>>) -> Response<Incoming> {
    let connector = Connector::new(Box::new(names), configured.iter().cloned().collect::<HashSet<_>>(), roots).unwrap();
    let proxy = Rc::new(Proxy::new(connector, &Limits::default()));
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    tokio::task::spawn_local(proxy.serve(theirs));
    let (mut sender, driver) = hyper::client::conn::http2::handshake(Local, TokioIo::new(ours)).await.unwrap();
    tokio::task::spawn_local(async move { drop(driver.await) });
    sender.send_request(request).await.unwrap()
}

fn get(origin: &Origin, path: &str) -> Request<Full<Bytes>> {
    Request::get(format!("{origin}{path}")).body(Full::default()).unwrap()
}

#[test]
fn every_evasion_is_refused() {
    on_one_thread(async {
        let victims = [TcpListener::bind("0.0.0.0:0").unwrap()];
        let port = victims[0].local_addr().unwrap().port();
        let on_six = TcpListener::bind(("::1", port)).ok();
        for (written, resolves_to) in EVASIONS {
            let written = written.replace("PORT", &port.to_string());
            // First a deployment must be allowed to name it.
            let Ok((_, origin)) = checked_backend("evil", &written) else { continue };
            let name = origin.host.to_string();
            let names = Told::of(&name, if resolves_to.is_empty() { "127.0.0.1" } else { resolves_to });
            let asked = names.asked.clone();
            let answer = ask(names, &[], public_roots(), get(&origin, "/")).await;
            let failed = Failed::told(answer.headers()).unwrap_or_else(|| panic!("{written} was answered"));
            assert_eq!(failed.failure, FetchFailure::AddressRefused, "{written}: {}", failed.sentence);
            assert!(asked.borrow().len() <= 1, "{written} was looked up twice");
        }
        for victim in victims.iter().chain(&on_six) {
            victim.set_nonblocking(true).unwrap();
            assert_eq!(victim.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody came");
        }
    });
}

/// Answers one connection with this, and gives what it was sent.
async fn answer_once(listener: tokio::net::TcpListener, answer: String) -> String {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let len = stream.read(&mut bytes).await.unwrap();
        assert!(len > 0);
        heard.extend_from_slice(&bytes[..len]);
    }
    stream.write_all(answer.as_bytes()).await.unwrap();
    String::from_utf8(heard).unwrap()
}

#[test]
fn what_is_configured_is_asked_once_by_its_own_name_and_not_followed_elsewhere() {
    on_one_thread(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let victim = TcpListener::bind("127.0.0.1:0").unwrap();
        victim.set_nonblocking(true).unwrap();
        let (port, elsewhere) = (listener.local_addr().unwrap().port(), victim.local_addr().unwrap());
        let origin: Origin = format!("http://backend.test:{port}").parse().unwrap();
        let told = format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nConnection: x-hop\r\nX-Hop: 1\r\nVivarium-Fetch-Failure: 4\r\nContent-Length: 5\r\n\r\nmoved"
        );
        let backend = tokio::task::spawn_local(answer_once(listener, told));
        let names = Told::of("backend.test", &format!("127.0.0.1 then {}", elsewhere.ip()));
        let asked = names.asked.clone();
        let mut request = get(&origin, "/path?query");
        request.headers_mut().insert("host", HeaderValue::from_str(&elsewhere.to_string()).unwrap());
        request.headers_mut().insert("x-own", HeaderValue::from_static("kept"));
        let answer = ask(names, std::slice::from_ref(&origin), public_roots(), request).await;
        assert_eq!((answer.status().as_u16(), Failed::told(answer.headers())), (302, None));
        assert!(answer.headers().contains_key("location") && !answer.headers().contains_key("x-hop"));
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "moved");
        let heard = backend.await.unwrap();
        assert!(heard.starts_with("GET /path?query HTTP/1.1\r\n") && heard.contains("x-own: kept\r\n"), "{heard}");
        assert!(heard.contains(&format!("host: backend.test:{port}\r\n")) && !heard.contains(&elsewhere.to_string()), "{heard}");
        assert_eq!(asked.borrow().len(), 1);
        assert!(victim.accept().is_err(), "a redirect was followed");
    });
}

/// A certificate for this name by an authority of its own: the authority's, and what a server needs.
fn certified(name: &str) -> (RootCertStore, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    (roots, TlsAcceptor::from(std::sync::Arc::new(config)))
}

#[test]
fn a_secure_origin_must_prove_its_name() {
    on_one_thread(async {
        for (certificate_of, believed, expected) in [
            ("backend.test", true, None),
            ("backend.test", false, Some(FetchFailure::TlsCertificate)),
            ("elsewhere.test", true, Some(FetchFailure::TlsCertificate)),
        ] {
            let (roots, acceptor) = certified(certificate_of);
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let origin: Origin = format!("https://backend.test:{}", listener.local_addr().unwrap().port()).parse().unwrap();
            tokio::task::spawn_local(async move {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut heard = [0; 1024];
                assert!(stream.read(&mut heard).await.unwrap() > 0);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfern").await.unwrap();
                stream.flush().await.unwrap();
            });
            let roots = if believed { roots } else { public_roots() };
            let names = Told::of("backend.test", "127.0.0.1");
            let answer = ask(names, std::slice::from_ref(&origin), roots, get(&origin, "/")).await;
            assert_eq!(Failed::told(answer.headers()).map(|failed| failed.failure), expected, "{certificate_of}");
            if expected.is_none() {
                assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "fern");
            }
        }
    });
}
