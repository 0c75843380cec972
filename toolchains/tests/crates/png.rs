//! prints: 2 by 1: [1, 2, 3, 250, 251, 252]
use std::io::Cursor;

fn main() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&[1, 2, 3, 250, 251, 252]).unwrap();
    let mut reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    println!("{} by {}: {pixels:?}", info.width, info.height);
}
