// npm's package `qr`, as code.js uses it: it draws QR codes. `cargo xtask extension` puts the real module at ui/qr/index.js.

/** The modules of the code of a text, row by row. */
export default function encodeQR(
  text: string,
  output: "raw",
  options?: { ecc?: "low" | "medium" | "quartile" | "high"; border?: number },
): boolean[][];
