//! Who the accounts of a run are: proven at their first use, recorded once, held against the record.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use piton_core::account::{AccountRef, Principal};
use piton_core::diagnostic::{Code, Diagnostic};
use piton_core::entry::{Body, Bound};
use piton_core::event::EventKind;
use piton_core::ports::{CallFailure, IdentifyError, failure_text};
use piton_core::status::Reason;
use piton_script::host::Halt;

use crate::drive::{Driver, Ending, Shared, State};

/// Accounts and who they are.
#[derive(Default)]
pub(crate) struct Accounts {
    /// Proven principals by account, recorded ones included.
    bound: HashMap<AccountRef, Principal>,
    /// Accounts that this process has proven.
    verified: HashSet<AccountRef>,
}

impl Shared {
    /// Principals that are recorded.
    pub(crate) fn know(&self, bound: impl IntoIterator<Item = (AccountRef, Principal)>) {
        self.accounts().bound.extend(bound);
    }

    /// Accounts that were proven just now.
    pub(crate) fn trust(&self, accounts: impl IntoIterator<Item = AccountRef>) {
        self.accounts().verified.extend(accounts);
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A principal by account, for rules that name aliases.
    pub(crate) fn principal(&self, account: &AccountRef) -> Option<Principal> {
        self.accounts().bound.get(account).cloned()
    }

    /// The accounts of an alias of several that are recorded, in order.
    pub(crate) fn known_of(&self, alias: &str) -> Vec<AccountRef> {
        let accounts = self.accounts();
        let own = accounts
            .bound
            .keys()
            .filter(|account| account.derived.is_empty() && account.declared_alias() == alias);
        let mut known: Vec<AccountRef> = own.cloned().collect();
        known.sort_by(|one, other| one.alias.cmp(&other.alias));
        known
    }
}

impl Driver {
    /// Proves who an account is, once in each process, and records it the first time.
    pub(crate) fn bind(&self, account: &AccountRef) -> Result<Principal, Halt> {
        // In a rehearsal only one branch goes on anyway, and one that waits may not keep others out.
        let _one_at_a_time = self
            .turns
            .is_none()
            .then(|| self.binding.lock().unwrap_or_else(PoisonError::into_inner));
        {
            let accounts = self.accounts();
            if let Some(principal) = accounts.bound.get(account)
                && accounts.verified.contains(account)
            {
                return Ok(principal.clone());
            }
        }
        let identified = self.wait_for(self.engine.ports.operations.identify(account));
        let mut state = self.state();
        let principal = match identified {
            Ok(principal) => principal,
            Err(error) => return Err(self.cannot_identify(&mut state, error)),
        };
        let recorded = self.principal(account);
        let rebound = self.rebind.contains(&account.alias);
        match recorded {
            Some(recorded) if !recorded.is_same_person(&principal) && !rebound => {
                let diagnostic = other_principal(account, &recorded, &principal);
                Err(self.end(&mut state, Ending::Refused(vec![diagnostic])))
            }
            Some(recorded) if recorded.is_same_person(&principal) => {
                self.trust([account.clone()]);
                Ok(recorded)
            }
            _ => {
                self.record_binding(&mut state, account, &principal, rebound);
                Ok(principal)
            }
        }
    }

    fn record_binding(
        &self,
        state: &mut State,
        account: &AccountRef,
        principal: &Principal,
        rebound: bool,
    ) {
        let at = self.now();
        let bound = Bound { account: account.clone(), principal: principal.clone(), rebound };
        state.recorder.make(None, at, None, Body::Bound(bound));
        let (account, principal) = (account.clone(), principal.clone());
        state
            .recorder
            .tell(at, EventKind::Bound { account: account.clone(), principal: principal.clone() });
        self.trust([account.clone()]);
        self.know([(account, principal)]);
    }

    fn cannot_identify(&self, state: &mut State, error: IdentifyError) -> Halt {
        match error {
            IdentifyError::Call(CallFailure::Credentials { alias, message, renew_with }) => {
                self.suspend(state, Reason::Credentials { alias, message, renew_with })
            }
            IdentifyError::Call(CallFailure::Refused(error)) => self.suspend(
                state,
                Reason::Credentials {
                    alias: error.service.clone(),
                    message: error.to_string(),
                    renew_with: None,
                },
            ),
            IdentifyError::Call(failure) => {
                self.suspend(state, Reason::Unavailable { message: failure_text(&failure) })
            }
            refusal => self.end(state, Ending::Refused(vec![identify_diagnostic(&refusal)])),
        }
    }
}

/// An alias that proved to be somebody else.
fn other_principal(account: &AccountRef, recorded: &Principal, found: &Principal) -> Diagnostic {
    Diagnostic::error(
        Code::OtherPrincipal,
        format!(
            "`{account}` is {} in {}, but this run knows it as {} in {}",
            found.stable_arn(),
            found.account,
            recorded.stable_arn(),
            recorded.account
        ),
    )
    .hint("use the credentials that the run was started with")
    .hint(format!("or accept the change on record: piton resume RUN --rebind {}", account.alias))
}

/// Why an account cannot be used, with code and way on.
pub(crate) fn identify_diagnostic(error: &IdentifyError) -> Diagnostic {
    match error {
        IdentifyError::Unconfigured { alias } => {
            Diagnostic::error(Code::UnknownAlias, error.to_string())
                .hint(format!("say what it is in piton.toml: [accounts.{alias}] profile = \"...\""))
                .hint("or rehearse without an account: --sandbox")
        }
        IdentifyError::Unusable { .. } => Diagnostic::error(Code::UnknownAlias, error.to_string()),
        IdentifyError::Pinned { .. } => Diagnostic::error(Code::PinnedAccount, error.to_string())
            .hint("use credentials of the pinned account, or correct account_id in piton.toml"),
        IdentifyError::Call(failure) => Diagnostic::error(Code::Credentials, failure_text(failure)),
    }
}

/// On a resume, proves the aliases that the run knows before anything is done in their name; at the
/// start, finds out about credentials that were missing. Of an alias that stands for several accounts,
/// those are proven that the run has met.
pub(crate) fn prove_known_accounts(driver: &Driver) -> Result<(), Halt> {
    for declared in &driver.program.declaration().accounts {
        if declared.many {
            for account in driver.known_of(&declared.alias) {
                driver.bind(&account)?;
            }
            continue;
        }
        let account = AccountRef::alias(&declared.alias);
        let known = driver.principal(&account).is_some();
        if known || !declared.created_here {
            driver.bind(&account)?;
        }
    }
    Ok(())
}
