//! Organizations: the organisation that a world's accounts are, when they are one.
//!
//! Its management account is the world's first. Read only: accounts, policies and units are not made
//! in the sandbox.

use serde_json::{Value, json};

use super::pages::Paging;
use super::{AwsFault, Call, Reply, Service};
use crate::spec::WorldSpec;

/// AWS Organizations.
#[derive(Debug)]
pub(crate) struct Organizations;

/// The organisation of every world that has one.
const ID: &str = "o-sandbox0001";
/// Its root.
const ROOT: &str = "r-sand";

/// When accounts joined, as far as anybody asks.
const JOINED: &str = "2024-01-01T00:00:00Z";

const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    most: 20,
    error: "InvalidInputException",
};

/// The ARN of the organisation that an account manages.
pub(crate) fn arn_of(management: &str) -> String {
    format!("arn:aws:organizations::{management}:organization/{ID}")
}

impl Service for Organizations {
    fn name(&self) -> &'static str {
        "organizations"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "DescribeAccount",
            "DescribeOrganization",
            "ListAWSServiceAccessForOrganization",
            "ListAccounts",
            "ListAccountsForParent",
            "ListParents",
            "ListRoots",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        let spec = WorldSpec::of(call.world);
        if !spec.organisation {
            return Err(AwsFault::new(
                "AWSOrganizationsNotInUseException",
                "Your account is not a member of an organization.",
            ));
        }
        let management = spec.first();
        // Every member may ask what the organisation is; the rest is the management account's.
        if call.operation != "DescribeOrganization" && call.principal.account != management {
            return Err(AwsFault::new(
                "AccessDeniedException",
                "You don't have permissions to access this resource.",
            ));
        }
        match call.operation {
            "DescribeOrganization" => Ok(json!({"Organization": organisation(&management)})),
            "DescribeAccount" => describe(call, &spec),
            "ListAccounts" => PAGES.page(call, "Accounts", accounts(&spec)),
            "ListAccountsForParent" => match call.text("ParentId") {
                ROOT => PAGES.page(call, "Accounts", accounts(&spec)),
                other => Err(no_parent(other)),
            },
            "ListParents" => match spec.accounts.values().any(|id| id == call.text("ChildId")) {
                true => PAGES.page(call, "Parents", vec![json!({"Id": ROOT, "Type": "ROOT"})]),
                false => Err(AwsFault::new(
                    "ChildNotFoundException",
                    format!("There is no account {} in the organization.", call.text("ChildId")),
                )),
            },
            "ListRoots" => PAGES.page(call, "Roots", vec![root(&management)]),
            "ListAWSServiceAccessForOrganization" => {
                let ram = json!({
                    "ServicePrincipal": "ram.amazonaws.com", "DateEnabled": JOINED,
                });
                PAGES.page(call, "EnabledServicePrincipals", vec![ram])
            }
            other => Err(AwsFault::new("InvalidInputException", format!("{other} is unknown"))),
        }
    }
}

fn organisation(management: &str) -> Value {
    json!({
        "Id": ID, "Arn": arn_of(management), "FeatureSet": "ALL",
        "MasterAccountArn": account_arn(management, management), "MasterAccountId": management,
        "MasterAccountEmail": email("management"), "AvailablePolicyTypes": [],
    })
}

fn root(management: &str) -> Value {
    json!({
        "Id": ROOT, "Name": "Root", "PolicyTypes": [],
        "Arn": format!("arn:aws:organizations::{management}:root/{ID}/{ROOT}"),
    })
}

fn accounts(spec: &WorldSpec) -> Vec<Value> {
    let management = spec.first();
    spec.accounts.iter().map(|(name, id)| account(&management, name, id)).collect()
}

fn account(management: &str, name: &str, id: &str) -> Value {
    json!({
        "Id": id, "Arn": account_arn(management, id), "Email": email(name), "Name": name,
        "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": "CREATED",
        "JoinedTimestamp": JOINED,
    })
}

fn describe(call: &Call<'_>, spec: &WorldSpec) -> Reply {
    let id = call.text("AccountId");
    let found = spec.accounts.iter().find(|(_, known)| *known == id);
    match found {
        Some((name, id)) => Ok(json!({"Account": account(&spec.first(), name, id)})),
        None => Err(AwsFault::new(
            "AccountNotFoundException",
            "You specified an account that doesn't exist.",
        )),
    }
}

fn account_arn(management: &str, id: &str) -> String {
    format!("arn:aws:organizations::{management}:account/{ID}/{id}")
}

fn email(name: &str) -> String {
    let local: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{local}@sandbox.example")
}

fn no_parent(id: &str) -> AwsFault {
    AwsFault::new("ParentNotFoundException", format!("There is no parent {id}."))
}
