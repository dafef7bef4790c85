//! Business glossaries and their terms.

use serde_json::{Value, json};

use super::room::{GLOSSARY, TERM, Visit, conflict, copy, text};
use super::standing::{Standing, project_for};
use crate::services::{AwsFault, Call, Reply};

/// `CreateGlossary`.
pub(super) fn create(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let project = call.text("owningProjectIdentifier");
    let (_, user) = project_for(&visit, project, Standing::Worker)?;
    let name = call.text("name");
    if visit.room.list(GLOSSARY).iter().any(|known| text(known, "name") == name) {
        return Err(conflict(format!("A glossary named {name} already exists")));
    }
    let mut glossary = visit.document(&visit.room.new_id("glo"), &user);
    glossary["owningProjectId"] = json!(project);
    glossary["status"] = json!("DISABLED");
    copy(call.input, &mut glossary, &["name", "description", "status", "usageRestrictions"]);
    visit.room.put(GLOSSARY, &glossary);
    Ok(glossary)
}

/// `GetGlossary`: everybody in a domain may read.
pub(super) fn get(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    visit.room.get(GLOSSARY, call.text("identifier"))
}

/// A glossary that the caller may change.
fn owned(visit: &Visit<'_>, id: &str) -> Result<(Value, String), AwsFault> {
    let glossary = visit.room.get(GLOSSARY, id)?;
    let (_, user) = project_for(visit, text(&glossary, "owningProjectId"), Standing::Worker)?;
    Ok((glossary, user))
}

/// `UpdateGlossary`.
pub(super) fn update(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (mut glossary, user) = owned(&visit, call.text("identifier"))?;
    copy(call.input, &mut glossary, &["name", "description", "status"]);
    visit.touch(&mut glossary, &user);
    visit.room.put(GLOSSARY, &glossary);
    Ok(glossary)
}

/// `DeleteGlossary`, when it is disabled and has no terms.
pub(super) fn delete(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (glossary, _) = owned(&visit, call.text("identifier"))?;
    let used = visit.room.list(TERM).iter().any(|term| term["glossaryId"] == glossary["id"]);
    if used || text(&glossary, "status") != "DISABLED" {
        return Err(conflict("Only a disabled glossary without terms can be deleted"));
    }
    visit.room.remove(GLOSSARY, &glossary);
    Ok(json!({}))
}

const TERM_MEMBERS: [&str; 5] =
    ["name", "status", "shortDescription", "longDescription", "termRelations"];

/// `CreateGlossaryTerm`.
pub(super) fn create_term(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let (glossary, user) = owned(&visit, call.text("glossaryIdentifier"))?;
    let name = call.text("name");
    let taken = visit
        .room
        .list(TERM)
        .iter()
        .any(|term| term["glossaryId"] == glossary["id"] && text(term, "name") == name);
    if taken {
        return Err(conflict(format!("A term named {name} already exists in the glossary")));
    }
    let mut term = visit.document(&visit.room.new_id("trm"), &user);
    term["glossaryId"] = glossary["id"].clone();
    term["owningProjectId"] = glossary["owningProjectId"].clone();
    term["status"] = json!("DISABLED");
    copy(call.input, &mut term, &TERM_MEMBERS);
    visit.room.put(TERM, &term);
    Ok(term)
}

/// `GetGlossaryTerm`.
pub(super) fn get_term(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    visit.user()?;
    visit.room.get(TERM, call.text("identifier"))
}

/// `UpdateGlossaryTerm`.
pub(super) fn update_term(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let mut term = visit.room.get(TERM, call.text("identifier"))?;
    let (_, user) = owned(&visit, text(&term, "glossaryId"))?;
    copy(call.input, &mut term, &TERM_MEMBERS);
    visit.touch(&mut term, &user);
    visit.room.put(TERM, &term);
    Ok(term)
}

/// `DeleteGlossaryTerm`, when it is disabled.
pub(super) fn delete_term(call: &Call<'_>) -> Reply {
    let visit = Visit::enter(call)?;
    let term = visit.room.get(TERM, call.text("identifier"))?;
    owned(&visit, text(&term, "glossaryId"))?;
    if text(&term, "status") != "DISABLED" {
        return Err(conflict("Only a disabled term can be deleted"));
    }
    visit.room.remove(TERM, &term);
    Ok(json!({}))
}
