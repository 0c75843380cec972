// Draws the Mandelbrot set as an image, a new instance for every visitor.
// ?x=-0.7436&y=0.1318&zoom=600 chooses the window.

// The number behind "name=" in the query string.
function option(name: string, otherwise: f64): f64 {
  const query = process.env.has("QUERY_STRING") ? process.env.get("QUERY_STRING") : "";
  const parts = query.split("&");
  for (let i = 0; i < parts.length; i++) {
    if (parts[i].startsWith(name + "=")) {
      const value = parseFloat(parts[i].substring(name.length + 1));
      if (isFinite(value)) return value;
    }
  }
  return otherwise;
}

const WIDTH = 480, HEIGHT = 320, HEADER = 54, STEPS = 120;

// How fast the point leaves: 0 for never, else between 0 and 1.
function escape(cx: f64, cy: f64): f64 {
  let x = 0.0, y = 0.0;
  for (let step = 0; step < STEPS; step++) {
    const xx = x * x, yy = y * y;
    if (xx + yy > 16) return (<f64>step + 1 - Math.log2(Math.log2(xx + yy) / 2)) / STEPS;
    y = 2 * x * y + cy;
    x = xx - yy + cx;
  }
  return 0;
}

// A file of the format BMP: a header, then blue, green and red for each pixel, from the lowest line up.
function header(image: DataView): void {
  image.setUint16(0, 0x4d42, true);
  image.setUint32(2, image.byteLength, true);
  image.setUint32(10, HEADER, true);
  image.setUint32(14, 40, true);
  image.setInt32(18, WIDTH, true);
  image.setInt32(22, HEIGHT, true);
  image.setUint16(26, 1, true);
  image.setUint16(28, 24, true);
}

const centreX = option("x", -0.6), centreY = option("y", 0), zoom = Math.max(option("zoom", 1), 0.1);
const image = new Uint8Array(HEADER + WIDTH * HEIGHT * 3);
header(new DataView(image.buffer));

let inside = 0;
for (let row = 0; row < HEIGHT; row++) {
  for (let column = 0; column < WIDTH; column++) {
    const scale = 3.2 / (zoom * WIDTH);
    const glow = escape(centreX + (<f64>column - WIDTH / 2) * scale, centreY + (<f64>row - HEIGHT / 2) * scale);
    if (glow == 0) inside++;
    const light = Math.sqrt(glow), at = HEADER + (row * WIDTH + column) * 3;
    image[at] = <u8>(90 * light + 45 * glow);
    image[at + 1] = <u8>(235 * light);
    image[at + 2] = <u8>Math.min(255, 340 * glow);
  }
}

process.stdout.write("Content-Type: image/bmp\r\n\r\n");
process.stdout.write(image);
console.error(`${inside} of ${WIDTH * HEIGHT} points are inside, at ${centreX}, ${centreY}, zoom ${zoom}`);
