//! The graph of imports between the files of a crate, read from its source text.
//!
//! A file imports another if it names an item that the other defines: in a `use`, in a path such as
//! `super::clip(..)` or `crate::wire::PeerId`, or inside a macro call. Four rules:
//!
//! - A path leads to the file that **defines** the item. Re-exports (`pub use`) and globs are
//!   followed.
//! - `mod child;` and `pub use child::Item` of the file's own children are no imports: a folder
//!   lists its files.
//! - Every other path is an import, also one from a child to its own `mod.rs`.
//! - Code under `#[cfg(test)]` does not count: unit tests may use anything.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

/// A module path, from the crate's root.
type Module = Vec<String>;

/// The files of a crate and what they import.
pub struct Graph {
    /// For each file its imports: the file that defines the item, and the path as it is written.
    pub imports: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
}

/// One source file.
struct Source {
    name: String,
    module: Module,
    /// Items that the file defines.
    items: BTreeSet<String>,
    /// Files declared by `mod name;`.
    children: BTreeSet<String>,
    /// What `use` brings into the file: name (`*` for a glob) and absolute path.
    uses: Vec<Use>,
    /// Absolute paths elsewhere in the file.
    paths: BTreeSet<Vec<String>>,
}

#[derive(Clone)]
struct Use {
    name: String,
    path: Vec<String>,
    is_public: bool,
}

impl Graph {
    /// Reads files, each with its path below `src/` and its text. `lib.rs` is the root.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let sources: BTreeMap<Module, Source> = files
            .into_iter()
            .map(|(name, text)| (module_of(name), Source::read(name, text)))
            .collect();
        let imports = sources.values().map(|source| {
            let found = source.imports(&sources);
            (source.name.clone(), found)
        });
        Self { imports: imports.collect() }
    }

    /// The groups of files that import each other in a circle. Each group with one circle through
    /// it, written as a list of imports.
    pub fn circles(&self) -> Vec<Circle> {
        let reach: BTreeMap<&str, BTreeSet<&str>> =
            self.imports.keys().map(|file| (file.as_str(), self.reachable(file))).collect();
        let mut seen = BTreeSet::new();
        let mut circles = Vec::new();
        for (file, reached) in &reach {
            if !reached.contains(file) || seen.contains(file) {
                continue;
            }
            let files: BTreeSet<&str> =
                reached.iter().copied().filter(|other| reach[other].contains(file)).collect();
            seen.extend(files.iter().copied());
            let steps = self.shortest_circle(file, &files);
            circles.push(Circle { files: files.into_iter().map(str::to_owned).collect(), steps });
        }
        circles
    }

    fn targets<'a>(&'a self, file: &str) -> impl Iterator<Item = &'a str> {
        self.imports.get(file).into_iter().flat_map(|all| all.keys().map(String::as_str))
    }

    /// Every file that `file` imports, directly or not. The file itself only if a circle leads back
    /// to it.
    fn reachable<'a>(&'a self, file: &str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut next: Vec<&str> = self.targets(file).collect();
        while let Some(other) = next.pop() {
            if found.insert(other) {
                next.extend(self.targets(other));
            }
        }
        found
    }

    /// The shortest way from a file back to itself, within a group of files.
    fn shortest_circle(&self, start: &str, group: &BTreeSet<&str>) -> Vec<String> {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(file) = queue.pop_front() {
            for other in self.targets(file).filter(|other| group.contains(other)) {
                if !came_from.contains_key(other) {
                    came_from.insert(other, file);
                    queue.push_back(other);
                }
            }
        }
        let mut steps = Vec::new();
        let mut at = start;
        while let Some(before) = came_from.get(at) {
            steps.push(self.describe(before, at));
            at = before;
            if at == start {
                break;
            }
        }
        steps.reverse();
        steps
    }

    /// One import in words.
    pub fn describe(&self, from: &str, to: &str) -> String {
        let paths: Vec<&str> = self.imports[from][to].iter().map(String::as_str).collect();
        format!("{from} imports {to} ({})", paths.join(", "))
    }
}

/// Files that import each other in a circle.
#[derive(Debug)]
pub struct Circle {
    /// All files of the group.
    pub files: BTreeSet<String>,
    /// One circle among them.
    pub steps: Vec<String>,
}

/// `wire/mod.rs` is the module `wire`, `wire/peer.rs` is `wire::peer`.
fn module_of(name: &str) -> Module {
    let mut module: Module = name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    module
}

impl Source {
    fn read(name: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut source = Self {
            name: name.to_owned(),
            module: module_of(name),
            items: BTreeSet::new(),
            children: BTreeSet::new(),
            uses: Vec::new(),
            paths: BTreeSet::new(),
        };
        for item in &parsed.items {
            source.item(item);
        }
        let mut paths = Paths { source: &mut source, inline: Vec::new() };
        paths.visit_file(&parsed);
        source
    }

    /// Notes what an item at the top of the file defines.
    fn item(&mut self, item: &syn::Item) {
        use syn::Item;
        let ident = match item {
            Item::Const(item) => &item.ident,
            Item::Enum(item) => &item.ident,
            Item::Fn(item) => &item.sig.ident,
            Item::Static(item) => &item.ident,
            Item::Struct(item) => &item.ident,
            Item::Trait(item) => &item.ident,
            Item::Type(item) => &item.ident,
            Item::Union(item) => &item.ident,
            Item::Mod(item) if item.content.is_none() => {
                self.children.insert(item.ident.to_string());
                return;
            }
            Item::Mod(item) => &item.ident,
            Item::Macro(item) => {
                // `macro_rules! name` defines `name`; `messages! { pub enum Name .. }` defines
                // `Name`.
                if let Some(ident) = &item.ident {
                    self.items.insert(ident.to_string());
                } else {
                    self.items.extend(defined_in(&item.mac.tokens.to_string()));
                }
                return;
            }
            _ => return,
        };
        self.items.insert(ident.to_string());
    }

    /// A path as it is written, from the crate's root. `None` if it leads out of the crate.
    fn absolute(&self, path: &[String], inline: &[String]) -> Option<Vec<String>> {
        let mut module: Module = self.module.clone();
        module.extend_from_slice(inline);
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                module.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                if !self.children.contains(first) {
                    return None; // another crate, or a name that a `use` brought here
                }
            }
        }
        module.extend_from_slice(rest);
        Some(module)
    }

    /// What the file imports: the defining file, and the paths.
    fn imports(&self, all: &BTreeMap<Module, Self>) -> BTreeMap<String, BTreeSet<String>> {
        let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut note = |path: &[String]| {
            let Some(file) = resolve(path, all, &mut BTreeSet::new()) else { return };
            if file != self.name {
                found.entry(file).or_default().insert(path.join("::"));
            }
        };
        for import in &self.uses {
            let own_child = import.path.starts_with(&self.module)
                && import.path.get(self.module.len()).is_some_and(|n| self.children.contains(n));
            if !(import.is_public && own_child) {
                note(&import.path);
            }
        }
        for path in &self.paths {
            note(path);
        }
        found
    }
}

/// The file that defines the item of an absolute path.
fn resolve(
    path: &[String],
    all: &BTreeMap<Module, Source>,
    asked: &mut BTreeSet<Vec<String>>,
) -> Option<String> {
    if !asked.insert(path.to_vec()) {
        return None; // re-exports in a circle
    }
    // The deepest file on the way.
    let depth = (0..=path.len()).rev().find(|depth| all.contains_key(&path[..*depth]))?;
    let (module, rest) = path.split_at(depth);
    let source = &all[module];
    let defining = match rest.first() {
        Some(name) if name != "*" => definition(source, rest, all, asked),
        _ => None,
    };
    Some(defining.unwrap_or_else(|| source.name.clone()))
}

/// The file that defines `path`, as seen from a file: the file itself, or the one that a `use`
/// leads to.
fn definition(
    source: &Source,
    path: &[String],
    all: &BTreeMap<Module, Source>,
    asked: &mut BTreeSet<Vec<String>>,
) -> Option<String> {
    let name = path.first()?;
    if source.items.contains(name) {
        return Some(source.name.clone());
    }
    for import in source.uses.iter().filter(|import| import.name == *name) {
        let target = [&import.path, &path[1..]].concat();
        if let Some(file) = resolve(&target, all, asked) {
            return Some(file);
        }
    }
    for glob in source.uses.iter().filter(|import| import.name == "*") {
        let (_, module) = glob.path.split_last()?;
        let Some(inside) = all.get(module) else { continue };
        // A glob in a circle of globs leads nowhere new.
        if asked.insert([module, &["*".to_owned()], path].concat())
            && let Some(file) = definition(inside, path, all, asked)
        {
            return Some(file);
        }
    }
    None
}

/// The names of structs and enums in the tokens of a macro call.
fn defined_in(tokens: &str) -> Vec<String> {
    let words: Vec<&str> = tokens.split_whitespace().collect();
    let defining = |pair: &&[&str]| matches!(pair[0], "struct" | "enum");
    words.windows(2).filter(defining).map(|pair| pair[1].to_owned()).collect()
}

/// Collects the paths of a file.
struct Paths<'a> {
    source: &'a mut Source,
    /// Names of the inline modules around.
    inline: Vec<String>,
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

impl Paths<'_> {
    fn path(&mut self, path: &[String]) {
        if path.len() > 1
            && let Some(path) = self.source.absolute(path, &self.inline)
        {
            self.source.paths.insert(path);
        }
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree, is_public: bool) {
        let mut path = before.to_vec();
        let (last, name) = match tree {
            syn::UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                return self.tree(&path, &tree.tree, is_public);
            }
            syn::UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.tree(&path, tree, is_public));
            }
            syn::UseTree::Name(tree) => (tree.ident.to_string(), tree.ident.to_string()),
            syn::UseTree::Rename(tree) => (tree.ident.to_string(), tree.rename.to_string()),
            syn::UseTree::Glob(_) => ("*".to_owned(), "*".to_owned()),
        };
        // `use wire::{self}` imports the module.
        let name = match last.as_str() {
            "self" => path.last().cloned().unwrap_or_default(),
            _ => {
                path.push(last);
                name
            }
        };
        if let Some(path) = self.source.absolute(&path, &self.inline) {
            if self.inline.is_empty() {
                self.source.uses.push(Use { name, path, is_public });
            } else {
                self.source.paths.insert(path);
            }
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.content.is_some() && !is_test(&item.attrs) {
            self.inline.push(item.ident.to_string());
            visit::visit_item_mod(self, item);
            self.inline.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let is_public = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&[], &item.tree, is_public && item.leading_colon.is_none());
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {} // `pub(in crate::node)`

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.path(&segments);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let text = item.tokens.to_string().replace(['(', ')', '[', ']', '{', '}', ',', '&'], " ");
        let words: Vec<&str> = text.split_whitespace().collect();
        for (index, word) in words.iter().enumerate() {
            let begins = matches!(*word, "crate" | "super" | "self")
                && !(index > 0 && matches!(words[index - 1], "::" | "$" | "."));
            if begins {
                let mut path = vec![(*word).to_owned()];
                let mut rest = &words[index + 1..];
                while let ["::", name, after @ ..] = rest {
                    let name: String =
                        name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if name.is_empty() {
                        break;
                    }
                    path.push(name);
                    rest = after;
                }
                self.path(&path);
            }
        }
        visit::visit_macro(self, item);
    }
}
