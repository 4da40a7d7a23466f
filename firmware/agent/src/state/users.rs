//! Local users, and the console's record of who tried to sign in. Passwords are kept as salted hashes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::factory_password;
use super::happenings::{Happenings, Noted};
use crate::random::Random;

/// The users of an honest device, with their ids.
const FACTORY_USERS: [(&str, u32); 2] = [("root", 0), ("operator", 1000)];

/// A user as others see them. Each has a group of their own with their name and id, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LocalUser {
    /// Name, and that of their group.
    pub(crate) name: String,
    /// Id, and that of their group.
    pub(crate) id: u32,
}

struct User {
    name: String,
    id: u32,
    salt: [u8; 16],
    hash: [u8; 32],
}

/// An attempt to sign in at the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoginAttempt {
    /// When, Unix seconds.
    pub(crate) at_s: i64,
    /// Name as given; there may be no such user.
    pub(crate) user: String,
    /// Whether the password was right.
    pub(crate) success: bool,
    /// Where from, for a remote login.
    pub(crate) from: Option<[u8; 4]>,
}

/// All local users.
pub(crate) struct Users {
    users: Vec<User>,
    attempts: Happenings<LoginAttempt>,
    random: Random,
}

impl Users {
    pub(super) fn new(seed: u64) -> Self {
        let mut users =
            Self { users: Vec::new(), attempts: Happenings::default(), random: Random::new(seed, "users") };
        for (name, id) in FACTORY_USERS {
            users.insert(name, id, &factory_password(seed, name));
        }
        users
    }

    /// Adds a user; false when there is one of that name.
    pub(crate) fn add(&mut self, name: &str, password: &str) -> bool {
        if self.users.iter().any(|user| user.name == name) {
            return false;
        }
        let id = self.users.iter().map(|user| user.id).max().unwrap_or(0).saturating_add(1);
        self.insert(name, id, password);
        true
    }

    /// Takes a user away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.users.retain(|user| user.name != name);
    }

    /// The id of a user.
    pub(crate) fn id(&self, name: &str) -> Option<u32> {
        self.users.iter().find(|user| user.name == name).map(|user| user.id)
    }

    /// All users, in the order in which they were made.
    pub(crate) fn all(&self) -> impl Iterator<Item = LocalUser> {
        self.users.iter().map(|user| LocalUser { name: user.name.clone(), id: user.id })
    }

    /// How many were not made at the factory.
    pub(crate) fn added(&self) -> usize {
        let at_factory = |user: &&User| FACTORY_USERS.contains(&(user.name.as_str(), user.id));
        self.users.len() - self.users.iter().filter(at_factory).count()
    }

    /// Somebody tries to sign in; whether the console lets them.
    pub(crate) fn sign_in(&mut self, name: &str, password: &str, from: Option<[u8; 4]>, at_s: i64) -> bool {
        let user = self.users.iter().find(|user| user.name == name);
        let success = user.is_some_and(|user| user.hash == hash(&user.salt, password));
        self.attempts.note(LoginAttempt { at_s, user: name.to_string(), success, from });
        success
    }

    /// The attempts since the last time.
    pub(crate) fn take_attempts(&mut self) -> Noted<LoginAttempt> {
        self.attempts.take()
    }

    fn insert(&mut self, name: &str, id: u32, password: &str) {
        let salt = self.random.bytes();
        self.users.push(User { name: name.to_string(), id, salt, hash: hash(&salt, password) });
    }
}

fn hash(salt: &[u8], password: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(password).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_of_an_existing_user_signs_in_and_every_attempt_is_noted() {
        let mut users = Users::new(42);
        assert!(users.sign_in("root", &factory_password(42, "root"), None, 1));
        assert!(!users.sign_in("operator", &factory_password(42, "root"), None, 2));
        assert!(!users.sign_in("nobody", "", Some([192, 0, 2, 1]), 3));
        let noted: Vec<_> = users
            .take_attempts()
            .kept
            .into_iter()
            .map(|attempt| (attempt.at_s, attempt.user, attempt.success, attempt.from))
            .collect();
        assert_eq!(
            noted,
            [
                (1, "root".to_string(), true, None),
                (2, "operator".to_string(), false, None),
                (3, "nobody".to_string(), false, Some([192, 0, 2, 1])),
            ]
        );
        assert_eq!(users.take_attempts().kept, []);
    }

    #[test]
    fn a_user_is_added_once_and_gone_after_its_removal() {
        let mut users = Users::new(42);
        assert!(users.add("backdoor", "x"));
        assert!(!users.add("backdoor", "y"));
        assert!(!users.add("root", "y"));
        assert_eq!(users.id("backdoor"), Some(1001));
        assert!(users.sign_in("backdoor", "x", None, 0));
        let seen = |users: &Users| users.all().map(|user| (user.name, user.id)).collect::<Vec<_>>();
        assert_eq!(seen(&users).last(), Some(&("backdoor".to_string(), 1001)));
        assert_eq!(users.added(), 1);
        users.remove("backdoor");
        assert_eq!((seen(&users).len(), users.added()), (2, 0));
        assert!(!users.sign_in("backdoor", "x", None, 0));
    }
}
