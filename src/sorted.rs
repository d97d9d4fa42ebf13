//! Ordered maps and sets of a few dozen entries, as sorted lists.
//!
//! A tree of the standard library takes 6 to 8 KB of the wasm module for each pair of types; a list
//! takes less than one. Lookups are as fast. An insertion moves all entries behind it, which is
//! cheap in lists of this size. docs/decisions/0001-sorted-maps.md compares the crate `litemap`.

/// An ordered map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map<K, V>(Vec<(K, V)>);

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Map<K, V> {
    fn index(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(k, _)| k.cmp(key))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.index(key).ok().map(|index| &self.0[index].1)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.index(key).ok().map(|index| &mut self.0[index].1)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.index(key).is_ok()
    }

    /// Sets the value of a key. Returns the value that it had before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.index(&key) {
            Ok(index) => Some(std::mem::replace(&mut self.0[index].1, value)),
            Err(index) => {
                self.0.insert(index, (key, value));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        self.index(key).ok().map(|index| self.0.remove(index).1)
    }

    /// The value of a key. Inserts a default value if there was none.
    pub(crate) fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let index = self.index(&key).unwrap_or_else(|index| {
            self.0.insert(index, (key, V::default()));
            index
        });
        &mut self.0[index].1
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }
}

impl<K, V> Map<K, V> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.0.iter_mut().map(|(key, value)| (&*key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> + Clone {
        self.0.iter().map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        let mut all = Self::default();
        items.into_iter().for_each(|(key, value)| drop(all.insert(key, value)));
        all
    }
}

/// An ordered set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set<T>(Vec<T>);

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Set<T> {
    pub(crate) fn contains(&self, item: &T) -> bool {
        self.0.binary_search(item).is_ok()
    }

    /// Adds an item. Returns false if it was there.
    pub(crate) fn insert(&mut self, item: T) -> bool {
        let index = self.0.binary_search(&item);
        if let Err(index) = index {
            self.0.insert(index, item);
        }
        index.is_err()
    }

    pub(crate) fn remove(&mut self, item: &T) {
        if let Ok(index) = self.0.binary_search(item) {
            self.0.remove(index);
        }
    }
}

impl<T> Set<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.insert(item);
        }
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut all = Self::default();
        all.extend(items);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::{Map, Set};

    #[test]
    fn they_do_what_the_trees_of_the_standard_library_do() {
        let (mut map, mut tree) = (Map::default(), BTreeMap::new());
        let (mut set, mut tree_set) = (Set::default(), BTreeSet::new());
        let mut number = 1u32;
        for round in 0..2_000u32 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let key = number >> 26;
            if round % 3 == 0 {
                assert_eq!(map.remove(&key), tree.remove(&key));
                set.remove(&key);
                tree_set.remove(&key);
            } else {
                assert_eq!(map.insert(key, round), tree.insert(key, round));
                assert_eq!(set.insert(key), tree_set.insert(key));
            }
            assert_eq!(map.get(&key), tree.get(&key));
            assert_eq!(set.contains(&key), tree_set.contains(&key));
            *map.or_default(key) += 1;
            *tree.entry(key).or_default() += 1;
            if round % 50 == 0 {
                map.retain(|key, _| key % 2 == 0);
                tree.retain(|key, _| key % 2 == 0);
            }
            assert!(
                map.iter().eq(tree.iter())
                    && map.keys().eq(tree.keys())
                    && map.values().eq(tree.values())
            );
            assert!(
                set.iter().eq(tree_set.iter())
                    && map.len() == tree.len()
                    && set.len() == tree_set.len()
            );
        }
    }
}
