//! Rust by wasm-bindgen: a renderer of vector graphics, a physics engine, codecs, a tokenizer.

use vivarium_tests::real::bindgen::{Value, Values};
use vivarium_tests::real::{Guest, file};

const NO_VALUE: u64 = 128;

fn values() -> Values {
    Values::new("__wbindgen_malloc")
}

/// Width and height that a PNG says it has.
fn size_of_png(png: &[u8]) -> [u32; 2] {
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()))
}

#[test]
fn resvg_draws_a_picture() {
    const SVG: &str = r#"<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30">
        <rect width="40" height="30" fill="blue"/><circle cx="20" cy="15" r="10" fill="rgb(255,128,0)"/></svg>"#;
    super::each("@resvg/resvg-wasm/index_bg.wasm", |mut guest| {
        let mut values = values();
        let svg = values.add(Value::Text(SVG.into()));
        let made = values.call_returning(&mut guest, "resvg_new", &[svg, 0, 0, 0], 3);
        assert_eq!(made[2], 0, "{:?}", values.get(made[1]));
        let image = values.call_returning(&mut guest, "resvg_render", &[made[0]], 3);
        assert_eq!(image[2], 0, "{:?}", values.get(image[1]));
        let pixels = guest.call_one(&mut values, "renderedimage_pixels", &[image[0]]);
        let Value::Bytes(pixels) = values.get(pixels).clone() else { panic!("pixels are bytes") };
        let pixel = |x: usize, y: usize| &pixels[4 * (40 * y + x)..][..4];
        assert_eq!((pixel(1, 1), pixel(20, 15), pixels.len()), (&[0, 0, 255, 255][..], &[255, 128, 0, 255][..], 40 * 30 * 4));
        let png = values.call_returning(&mut guest, "renderedimage_asPng", &[image[0]], 3);
        let Value::Bytes(png) = values.get(png[0]) else { panic!("a PNG is bytes") };
        assert_eq!(size_of_png(png), [40, 30]);
    });
}

#[test]
fn a_body_falls() {
    const STEPS: u32 = 60;
    super::each("@dimforge/rapier3d/rapier_wasm3d_bg.wasm", |mut guest| {
        let mut values = values();
        let mut new = |guest: &mut Guest, class: &str, arguments: &[f32]| {
            let bits: Vec<u64> = arguments.iter().map(|number| number.to_bits().into()).collect();
            guest.call_one(&mut values, &format!("raw{class}"), &bits)
        };
        let [gravity, place, none] = [-9.81, 10.0, 0.0].map(|y| new(&mut guest, "vector_new", &[0.0, y, 0.0]));
        let inertia = new(&mut guest, "vector_new", &[1.0, 1.0, 1.0]);
        let upright = new(&mut guest, "rotation_identity", &[]);
        let [pipeline, parameters, islands, broad, narrow, bodies, colliders, soft, joints, multibodies, ccd] = [
            "physicspipeline",
            "integrationparameters",
            "islandmanager",
            "broadphase",
            "narrowphase",
            "rigidbodyset",
            "colliderset",
            "softbodyset",
            "impulsejointset",
            "multibodyjointset",
            "ccdsolver",
        ]
        .map(|class| new(&mut guest, &format!("{class}_new"), &[]));
        let one = u64::from(1.0f32.to_bits());
        let (yes, dynamic) = (1, 0);
        let body = guest.call_one(
            &mut values,
            "rawrigidbodyset_createRigidBody",
            &[
                bodies, yes, place, upright, one, one, yes, none, none, none, inertia, upright, yes, yes, yes, yes, yes, yes, 0, 0,
                dynamic, 0, 0, 0, 0, 0, 0, 0,
            ],
        );
        for _ in 0..STEPS {
            let world = [pipeline, gravity, parameters, islands, broad, narrow, bodies, colliders, soft, joints, multibodies, ccd];
            guest.call(&mut values, "rawphysicspipeline_step", &world);
        }
        let numbers = values.add(Value::Numbers(vec![0.0; 3]));
        guest.call(&mut values, "rawrigidbodyset_rbTranslation", &[bodies, body, numbers]);
        let Value::Numbers(found) = values.get(numbers) else { panic!("numbers stay numbers") };
        // Each step is four of the solver's, which changes velocity first, then place: the sum of 1 to 240.
        let expected = 10.0 - 9.81 / (240.0 * 240.0) * (240.0 * 241.0 / 2.0);
        assert!((found[1] - expected).abs() < 1e-3 && found[0] == 0.0, "{found:?}, not {expected}");
    });
}

#[test]
fn png_is_encoded_and_its_pixels_are_a_chessboard() {
    super::each("@jsquash/png/codec/pkg/squoosh_png_bg.wasm", |mut guest| {
        let mut values = values();
        let pixels: Vec<u8> = (0..64).flat_map(|field| [[0, 0, 0, 255], [255; 4]][(field + field / 8) % 2]).collect();
        let [address, bytes] = values.pass(&mut guest, &pixels);
        let encoded = values.call_returning(&mut guest, "encode", &[address, bytes, 8, 8, 8], 2);
        assert_eq!(size_of_png(guest.read(encoded[0], encoded[1])), [8, 8]);
    });
}

#[test]
fn brotli_gives_back_what_it_made_small() {
    super::each("brotli-wasm/pkg.node/brotli_wasm_bg.wasm", |mut guest| {
        let mut values = values();
        let text = "one potato, two potatoes, three potatoes, four, ".repeat(200);
        let [address, bytes] = values.pass(&mut guest, text.as_bytes());
        let small = values.call_returning(&mut guest, "compress", &[address, bytes, NO_VALUE], 4);
        assert_eq!(small[3], 0, "{:?}", values.get(small[2]));
        let packed = guest.read(small[0], small[1]).to_vec();
        assert!(packed.len() < 200, "{} bytes", packed.len());
        let [address, bytes] = values.pass(&mut guest, &packed);
        let large = values.call_returning(&mut guest, "decompress", &[address, bytes], 4);
        assert_eq!(large[3], 0, "{:?}", values.get(large[2]));
        assert_eq!(guest.read(large[0], large[1]), text.as_bytes());
    });
}

/// The tokens of GPT-2, as its vocabulary numbers them.
#[test]
fn a_tokenizer_finds_the_tokens() {
    let vocabulary: serde_json::Value = serde_json::from_slice(&file("tiktoken/encoders/gpt2.json")).unwrap();
    super::each("tiktoken/lite/tiktoken_bg.wasm", |mut guest| {
        let mut values = Values::new("__wbindgen_export_1");
        let [ranks, ranks_bytes] = values.pass(&mut guest, vocabulary["bpe_ranks"].as_str().unwrap().as_bytes());
        let [pattern, pattern_bytes] = values.pass(&mut guest, vocabulary["pat_str"].as_str().unwrap().as_bytes());
        let special = values.add(Value::Text(vocabulary["special_tokens"].to_string()));
        let tokenizer = guest.call_one(&mut values, "tiktoken_new", &[ranks, ranks_bytes, special, pattern, pattern_bytes]);
        let [address, bytes] = values.pass(&mut guest, b"hello wasm world");
        let found = values.call_returning(&mut guest, "tiktoken_encode_ordinary", &[tokenizer, address, bytes], 2);
        let tokens: Vec<u64> = (0..found[1]).map(|index| guest.read_u32(found[0] + 4 * index)).collect();
        assert_eq!(tokens, [31373, 373, 76, 995]);
    });
}
