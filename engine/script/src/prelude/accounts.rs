//! `aws("alias")`, accounts derived from it, and the clients of their services.

use std::sync::Arc;

use piton_core::account::{AccountRef, Derivation};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_models::suggest;
use rhai::{Dynamic, Engine, ImmutableString, Map, Module, NativeCallContext};

use super::{add, text};
use crate::bound;
use crate::failure::{self, Native, durable};
use crate::options::Options;
use crate::session::Session;
use crate::value;

/// An account as scripts have it.
#[derive(Debug, Clone)]
pub(crate) struct Account(pub(crate) Arc<AccountRef>);

/// One service of an account.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) account: Arc<AccountRef>,
    pub(crate) service: &'static str,
}

/// Types, indexers and operations: what an engine has for itself. `methods` are the names that the
/// program calls on anything.
pub(crate) fn register_types<'a>(engine: &mut Engine, methods: impl Iterator<Item = &'a str>) {
    engine.register_type_with_name::<Account>("account");
    engine.register_type_with_name::<Client>("client");
    engine.register_indexer_get(
        |context: NativeCallContext<'_>, account: &mut Account, name: ImmutableString| {
            client(&context, account, &name)
        },
    );
    for method in methods {
        let name = ImmutableString::from(method);
        engine.register_fn(method, |context: NativeCallContext<'_>, client: Client| {
            bound::call(&context, &client, context.fn_name(), &Map::new())
        });
        engine.register_fn(method, |context: NativeCallContext<'_>, client: Client, input: Map| {
            bound::call(&context, &client, context.fn_name(), &input)
        });
        engine.register_fn(
            method,
            move |context: NativeCallContext<'_>, client: Client, input: Dynamic| match input
                .as_map_ref()
            {
                Ok(map) => bound::call(&context, &client, &name, &map),
                Err(_) => bound::refuse_input(&context, &client, &name, &input),
            },
        );
    }
}

pub(super) fn register(module: &mut Module) {
    add(module, "aws", |context: NativeCallContext<'_>, alias: Dynamic| {
        aws(&context, &alias, None)
    });
    add(module, "aws", |context: NativeCallContext<'_>, alias: Dynamic, id: Dynamic| {
        aws(&context, &alias, Some(&id))
    });
    add(
        module,
        "environment",
        |context: NativeCallContext<'_>,
         account: Account,
         domain: Dynamic,
         environment: Dynamic| {
            let domain = text(&context, "domain id", &domain)?;
            let environment = text(&context, "environment id", &environment)?;
            Ok::<_, failure::Raise>(derive(
                &account,
                Derivation::Environment { domain, environment },
            ))
        },
    );
    add(module, "assume", |context: NativeCallContext<'_>, account: Account, role: Dynamic| {
        assume(&context, &account, &role, Map::new().into())
    });
    add(
        module,
        "assume",
        |context: NativeCallContext<'_>, account: Account, role: Dynamic, options: Dynamic| {
            assume(&context, &account, &role, options)
        },
    );
    add(module, "region", |context: NativeCallContext<'_>, account: Account, region: Dynamic| {
        let region = text(&context, "region", &region)?;
        Ok::<_, failure::Raise>(derive(&account, Derivation::Region { region }))
    });
    add(module, "service", |context: NativeCallContext<'_>, account: Account, name: Dynamic| {
        let name = text(&context, "service", &name)?;
        match bound::services().find(|service| **service == *name) {
            Some(service) => Ok(Client { account: account.0, service }),
            None => Err(failure::raise(&context, unknown_service(&name))),
        }
    });
    add(module, "identity", |context: NativeCallContext<'_>, account: Account| {
        durable(&context, |session| session.host.identity(&account.0)).map(value::from_json)
    });
    add(module, "to_string", |account: Account| account.0.to_string());
    add(module, "to_debug", |account: Account| account.0.to_string());
    add(module, "to_string", |client: Client| client_text(&client));
    add(module, "to_debug", |client: Client| client_text(&client));
}

fn client_text(client: &Client) -> String {
    format!("{}.{}", client.account, client.service)
}

/// The account of an alias, or that of one of its several accounts.
fn aws(context: &NativeCallContext<'_>, alias: &Dynamic, id: Option<&Dynamic>) -> Native<Account> {
    let alias = text(context, "account alias", alias)?;
    let session = Session::current();
    if let Some(problem) = session.program.declaration.misused(&alias, id.is_some()) {
        return Err(failure::raise(context, problem));
    }
    let Some(id) = id else { return Ok(Account(Arc::new(AccountRef::alias(alias)))) };
    let id = text(context, "account id", id)?;
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Account(Arc::new(AccountRef::of_account(&alias, &id))));
    }
    Err(failure::bad_argument_hint(
        context,
        format!("`{id}` is no account id"),
        format!("twelve digits: aws(\"{alias}\", \"111122223333\")"),
    ))
}

fn client(context: &NativeCallContext<'_>, account: &Account, name: &str) -> Native<Client> {
    if let Some(service) = bound::services().find(|service| *service == name) {
        return Ok(Client { account: Arc::clone(&account.0), service });
    }
    // The call is the indexer's; the name is at its position.
    let session = Session::current();
    let source = context.call_source();
    let place = session.program.place_of_call(source, context.call_position(), name);
    Err(failure::raise_at(&session, unknown_service(name), place))
}

/// An account has no client of this name.
pub(crate) fn unknown_service(name: &str) -> Diagnostic {
    let message = format!("there is no service `{name}`");
    let hint = suggest::nearest(name, bound::services()).map_or_else(
        || format!("services: {}", bound::services().collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean `{near}`?"),
    );
    Diagnostic::error(Code::UnknownService, message).hint(hint)
}

fn derive(account: &Account, derivation: Derivation) -> Account {
    Account(Arc::new(account.0.derive(derivation)))
}

fn assume(
    context: &NativeCallContext<'_>,
    account: &Account,
    role: &Dynamic,
    options: Dynamic,
) -> Native<Account> {
    let role_arn = text(context, "role ARN", role)?;
    if !role_arn.starts_with("arn:") {
        let message = format!("`{role_arn}` is no role ARN");
        return Err(failure::bad_argument_hint(
            context,
            message,
            "arn:aws:iam::111122223333:role/name",
        ));
    }
    let mut options = Options::new(context, "assume", options, &["external_id", "session_name"])?;
    let external_id = options.text("external_id")?;
    let session_name = options.text("session_name")?;
    Ok(derive(account, Derivation::Assume { role_arn, external_id, session_name }))
}
