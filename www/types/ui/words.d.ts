// Made by `cargo xtask extension`: the 2048 words of the English list of BIP-39.

declare const words: string[];
export default words;
