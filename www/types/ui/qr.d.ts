// Put there by `cargo xtask extension`: lean-qr, of which this is what we use.

export function generate(text: string): { size: number; get(x: number, y: number): boolean };
