// npm's package `qr`, as scan.js uses it: it reads QR codes. `cargo xtask extension` puts the real module at ui/qr/decode.js.

/** The text of the code in a picture; throws where there is none. */
export default function decodeQR(picture: { width: number; height: number; data: Uint8ClampedArray }): string;
