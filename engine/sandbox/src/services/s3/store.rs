//! Buckets and objects as the world keeps them, and what other services ask of them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fault;
use crate::services::AwsFault;
use crate::sql::md5;
use crate::world::{Scope, World};

const BUCKET: &str = "s3/bucket";
const OBJECT: &str = "s3/object";
/// What objects hold is not shown in a dump: their digests are.
const BODY: &str = "_s3/body";

/// One bucket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Bucket {
    /// Its name, which is unique in the whole world.
    pub(crate) name: String,
    /// Account of its owner.
    pub(crate) account: String,
    /// Region that it is in.
    pub(crate) region: String,
    /// When it was made, RFC 3339.
    pub(super) created: String,
    /// What it is configured with, by the names of `settings`.
    pub(super) settings: BTreeMap<String, Value>,
}

/// One object, without what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(super) bucket: String,
    /// Its key.
    pub(crate) key: String,
    /// Bytes.
    pub(crate) size: u64,
    /// Digest of what it holds, in quotes.
    pub(crate) etag: String,
    /// When it was written, RFC 3339.
    pub(super) modified: String,
    /// Headers that it is answered with, by the model's member names.
    pub(super) headers: BTreeMap<String, String>,
    /// Metadata of its writer.
    pub(super) metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
}

impl Bucket {
    /// `arn:aws:s3:::lake`.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.name)
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::new(&self.account, &self.region)
    }

    pub(super) fn save(&self, world: &World<'_>) {
        world.put(&self.scope(), BUCKET, &self.name, self);
    }

    pub(super) fn forget(&self, world: &World<'_>) {
        world.delete(&self.scope(), BUCKET, &self.name);
    }

    /// The bucket's policy document, when it has one.
    pub(super) fn policy(&self) -> Option<&str> {
        self.settings.get("Policy").and_then(Value::as_str)
    }

    pub(super) fn object(&self, world: &World<'_>, key: &str) -> Option<Object> {
        world.get(&self.scope(), OBJECT, &self.id(key))
    }

    /// Writes an object; one that is there already, equal in everything, stays as it was.
    pub(super) fn save_object(&self, world: &World<'_>, object: &Object, body: &[u8]) {
        let known = self.object(world, &object.key);
        if known.is_some_and(|known| known.modified(&object.modified) == *object) {
            return;
        }
        world.put(&self.scope(), BODY, &self.id(&object.key), &STANDARD.encode(body));
        world.put(&self.scope(), OBJECT, &self.id(&object.key), object);
    }

    pub(super) fn save_tags(&self, world: &World<'_>, object: &Object) {
        world.put(&self.scope(), OBJECT, &self.id(&object.key), object);
    }

    pub(super) fn remove_object(&self, world: &World<'_>, key: &str) -> bool {
        world.delete(&self.scope(), BODY, &self.id(key));
        world.delete(&self.scope(), OBJECT, &self.id(key))
    }

    /// What an object holds.
    pub(super) fn body(&self, world: &World<'_>, key: &str) -> Option<Vec<u8>> {
        let text: String = world.get(&self.scope(), BODY, &self.id(key))?;
        STANDARD.decode(text).ok()
    }

    /// Objects whose keys begin with `prefix` and come after `after`, in order; at most `limit`.
    pub(super) fn objects_after(
        &self,
        world: &World<'_>,
        prefix: &str,
        after: &str,
        limit: usize,
    ) -> Vec<Object> {
        world.list_under(&self.scope(), OBJECT, &self.id(prefix), &self.id(after), limit)
    }

    fn id(&self, key: &str) -> String {
        format!("{}/{key}", self.name)
    }
}

impl Object {
    /// The same object, written at another moment.
    fn modified(self, at: &str) -> Self {
        Self { modified: at.to_owned(), ..self }
    }
}

/// An object that is about to be written.
pub(super) fn new_object(world: &World<'_>, bucket: &str, key: &str, body: &[u8]) -> Object {
    Object {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        size: u64::try_from(body.len()).unwrap_or(u64::MAX),
        etag: format!("\"{}\"", md5(body)),
        modified: world.now_text(),
        headers: BTreeMap::new(),
        metadata: BTreeMap::new(),
        tags: BTreeMap::new(),
    }
}

/// The bucket of this name, whoever owns it.
pub(crate) fn bucket(world: &World<'_>, name: &str) -> Option<Bucket> {
    world.find_anywhere::<Bucket>(BUCKET, name).map(|stored| stored.document)
}

/// The buckets of an account, in order of their names.
pub(super) fn buckets_of(world: &World<'_>, account: &str) -> Vec<Bucket> {
    let mut found: Vec<Bucket> = world
        .list_everywhere::<Bucket>(BUCKET)
        .into_iter()
        .map(|stored| stored.document)
        .filter(|bucket| bucket.account == account)
        .collect();
    found.sort_by(|left, right| left.name.cmp(&right.name));
    found
}

/// The objects of a bucket whose keys begin with `prefix`, in order; none of a bucket that is not
/// there.
pub(crate) fn objects(world: &World<'_>, name: &str, prefix: &str) -> Vec<Object> {
    bucket(world, name)
        .map(|bucket| bucket.objects_after(world, prefix, "", usize::MAX))
        .unwrap_or_default()
}

/// What an object holds.
pub(crate) fn body(world: &World<'_>, name: &str, key: &str) -> Option<Vec<u8>> {
    bucket(world, name)?.body(world, key)
}

/// Writes an object in the name of a service; the caller's right to do so is the service's matter.
pub(crate) fn put_object(
    world: &World<'_>,
    name: &str,
    key: &str,
    body: &[u8],
    content_type: &str,
) -> Result<(), AwsFault> {
    let found = bucket(world, name).ok_or_else(no_such_bucket)?;
    let mut object = new_object(world, name, key, body);
    object.headers.insert("ContentType".to_owned(), content_type.to_owned());
    found.save_object(world, &object, body);
    Ok(())
}

/// Removes the objects whose keys begin with `prefix`; how many there were.
pub(crate) fn remove_objects(world: &World<'_>, name: &str, prefix: &str) -> usize {
    let Some(found) = bucket(world, name) else { return 0 };
    let objects = found.objects_after(world, prefix, "", usize::MAX);
    objects.iter().filter(|object| found.remove_object(world, &object.key)).count()
}

/// Bucket and key of `s3://bucket/key`.
pub(crate) fn split_uri(uri: &str) -> Option<(&str, &str)> {
    let rest = ["s3://", "s3a://", "s3n://"].iter().find_map(|scheme| uri.strip_prefix(scheme))?;
    let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
    (!bucket.is_empty()).then_some((bucket, key))
}

pub(super) fn no_such_bucket() -> AwsFault {
    fault("NoSuchBucket", 404, "The specified bucket does not exist")
}
