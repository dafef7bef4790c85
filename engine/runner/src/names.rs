//! Names of accounts in child runs: a runbook that is called has aliases of its own, which its caller
//! says are accounts of the outermost run.

use std::collections::BTreeMap;
use std::sync::Arc;

use piton_core::account::{AccountRef, Principal};
use piton_core::ports::{Answer, Call, CallFailure, IdentifyError, MaySend, Operations, Pending};

use crate::engine::Engine;

/// Names of the outermost run, by those of a child run that are other ones.
pub(crate) type Names = BTreeMap<String, String>;

/// An alias as the outermost run has it; any other text as it is.
pub(crate) fn renamed(names: &Names, alias: &str) -> String {
    let (declared, account) = match alias.split_once('/') {
        Some((declared, id)) => (declared, Some(id)),
        None => (alias, None),
    };
    match (names.get(declared), account) {
        (None, _) => alias.to_owned(),
        (Some(own), None) => own.clone(),
        (Some(own), Some(id)) => format!("{own}/{id}"),
    }
}

impl Engine {
    /// The same for a run with other names for its accounts.
    pub(crate) fn naming(&self, names: &Names) -> Self {
        let mut engine = self.clone();
        if !names.is_empty() {
            let operations = Arc::clone(&self.ports.operations);
            engine.ports.operations = Arc::new(Renaming { operations, names: names.clone() });
        }
        engine
    }
}

/// AWS, by other names of the accounts.
struct Renaming {
    operations: Arc<dyn Operations>,
    names: Names,
}

impl Renaming {
    fn account(&self, account: &AccountRef) -> AccountRef {
        AccountRef { alias: renamed(&self.names, &account.alias), derived: account.derived.clone() }
    }
}

impl Operations for Renaming {
    fn perform<'a>(&'a self, call: &'a Call) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async move {
            let call = Call { account: self.account(&call.account), ..call.clone() };
            self.operations.perform(&call).await
        })
    }

    fn perform_while<'a>(
        &'a self,
        call: &'a Call,
        may_send: MaySend,
    ) -> Pending<'a, Result<Answer, CallFailure>> {
        Box::pin(async move {
            let call = Call { account: self.account(&call.account), ..call.clone() };
            self.operations.perform_while(&call, may_send).await
        })
    }

    fn identify<'a>(
        &'a self,
        account: &'a AccountRef,
    ) -> Pending<'a, Result<Principal, IdentifyError>> {
        Box::pin(async move { self.operations.identify(&self.account(account)).await })
    }

    fn region(&self, account: &AccountRef) -> Option<String> {
        self.operations.region(&self.account(account))
    }
}
