//! Reads from a log how many tests ran: those of Rust's test harness and those of Node's.

/// `212 passed, 3 ignored`, or nothing if the log speaks of no tests.
pub fn tests(log: &str) -> String {
    let mut counts = [0_usize; 3];
    let mut spoke = false;
    for line in log.lines() {
        if let Some(rust) = line.trim_start().strip_prefix("test result: ") {
            spoke = true;
            for (count, word) in counts.iter_mut().zip(["passed", "failed", "ignored"]) {
                *count += before(rust, word);
            }
        } else if let Some(node) = line.strip_prefix("ℹ ").or_else(|| line.strip_prefix("# ")) {
            for (count, word) in counts.iter_mut().zip(["pass ", "fail ", "skipped "]) {
                if let Some(number) = node.strip_prefix(word).and_then(|rest| rest.trim().parse::<usize>().ok()) {
                    spoke = true;
                    *count += number;
                }
            }
        }
    }
    let [passed, failed, ignored] = counts;
    let part = |count: usize, word: &str| if count == 0 { String::new() } else { format!(", {count} {word}") };
    if spoke { format!("{passed} passed{}{}", part(failed, "failed"), part(ignored, "ignored")) } else { String::new() }
}

/// The number that stands before a word, in `ok. 12 passed; 0 failed; 1 ignored`.
fn before(text: &str, word: &str) -> usize {
    let words: Vec<&str> = text.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter(|pair| pair[1] == word);
    pairs.filter_map(|pair| pair[0].parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::tests;

    #[test]
    fn both_harnesses_are_counted() {
        let log = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s\n\
                   ℹ tests 5\nℹ pass 4\nℹ fail 1\nℹ skipped 0\n";
        assert_eq!(tests(log), "16 passed, 1 failed, 1 ignored");
        assert_eq!(tests("Checking frostmesh v0.1.0"), "");
    }
}
