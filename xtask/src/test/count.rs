//! Counts the tests in a log and finds the failed ones, for Rust's and for Node's test harness.

use std::collections::BTreeSet;

/// What is counted, with the words of both harnesses. Each harness lacks some of them.
const WORDS: [(&str, &str, &str); 5] = [
    ("passed", "passed", "pass "),
    ("failed", "failed", "fail "),
    ("cancelled", "", "cancelled "),
    ("skipped", "ignored", "skipped "),
    ("to do", "", "todo "),
];

/// `212 passed, 3 skipped`, or nothing if the log shows no tests.
pub fn tests(log: &str) -> String {
    let mut counts = [0_usize; WORDS.len()];
    let mut spoke = false;
    for line in log.lines() {
        if let Some(rust) = line.trim_start().strip_prefix("test result: ") {
            spoke = true;
            for (count, (_, word, _)) in counts.iter_mut().zip(WORDS) {
                *count += before(rust, word);
            }
        } else if let Some(node) = line.strip_prefix("ℹ ") {
            for (count, (_, _, word)) in counts.iter_mut().zip(WORDS) {
                if let Some(number) =
                    node.strip_prefix(word).and_then(|rest| rest.trim().parse::<usize>().ok())
                {
                    spoke = true;
                    *count += number;
                }
            }
        }
    }
    let parts =
        counts.iter().zip(WORDS).filter(|(count, (name, ..))| **count > 0 || *name == "passed");
    let parts: Vec<String> = parts.map(|(count, (name, ..))| format!("{count} {name}")).collect();
    if spoke { parts.join(", ") } else { String::new() }
}

/// The names of the tests that failed, once each.
pub fn failures(log: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let line = line.trim();
        let rust = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"));
        // Node adds the time in brackets, and the author's comment.
        let node = line.strip_prefix("✖ ").map(|rest| rest.split(" (").next().unwrap_or(rest));
        rust.or(node).filter(|name| *name != "failing tests:").map(str::to_owned)
    };
    log.lines().filter_map(name).collect()
}

/// The number before a word, in `ok. 12 passed; 0 failed; 1 ignored`.
fn before(text: &str, word: &str) -> usize {
    let words: Vec<&str> = text.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter(|pair| pair[1] == word);
    pairs.filter_map(|pair| pair[0].parse::<usize>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::{failures, tests};

    #[test]
    fn both_harnesses_are_counted() {
        let log = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.02s\n\
                   ℹ tests 5\nℹ pass 4\nℹ fail 1\nℹ skipped 0\nℹ todo 2\n";
        assert_eq!(tests(log), "16 passed, 1 failed, 1 skipped, 2 to do");
        assert_eq!(tests("Checking frostmesh v0.1.0"), "");
    }

    #[test]
    fn failed_tests_are_named_once() {
        let log = "test wire::tests::limits ... FAILED\ntest other ... ok\n  ✖ dies before its share (25366.5ms)\n\
                   ✖ failing tests:\n✖ dies before its share (25366.5ms)\n";
        assert_eq!(
            failures(log).into_iter().collect::<Vec<_>>(),
            ["dies before its share", "wire::tests::limits"]
        );
    }
}
