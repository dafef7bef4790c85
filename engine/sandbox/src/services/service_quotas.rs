//! Service Quotas: the limits of DataZone, Redshift and the services around them.
//!
//! Names and values are what AWS documents; the codes are the sandbox's own where AWS's are not
//! documented, and begin with `L-5A17`. No account has had one raised.

use serde_json::{Value, json};

use super::pages::Paging;
use super::{AwsFault, Call, Reply, Service};

/// AWS Service Quotas.
#[derive(Debug)]
pub(crate) struct ServiceQuotas;

const PAGES: Paging = Paging {
    size: "MaxResults",
    token: "NextToken",
    next: "NextToken",
    most: 100,
    error: "InvalidPaginationTokenException",
};

struct Quota {
    code: &'static str,
    name: &'static str,
    value: f64,
    adjustable: bool,
}

const fn quota(code: &'static str, name: &'static str, value: f64, adjustable: bool) -> Quota {
    Quota { code, name, value, adjustable }
}

/// Service codes, their services' names, and their quotas.
static SERVICES: [(&str, &str, &[Quota]); 4] = [
    (
        "datazone",
        "Amazon DataZone",
        &[
            quota("L-5A170001", "Environments per domain", 500.0, true),
            quota("L-5A170002", "Data source runs per data source per day", 25.0, true),
            quota("L-5A170003", "Policy grants per policy per domain unit", 20.0, false),
            quota("L-5A170004", "Parameter sets per environment blueprint", 10.0, false),
            quota("L-5A170005", "Filters per subscription", 5.0, false),
            quota("L-5A170006", "Data assets per domain", 1_000_000.0, true),
            quota("L-5A170007", "Rate of CreateProject requests", 3.0, true),
            quota("L-5A170008", "Rate of CreateEnvironment requests", 3.0, true),
            quota("L-5A170009", "Rate of CreateSubscriptionRequest requests", 3.0, true),
            quota("L-5A170010", "Rate of CreateDomain requests", 8.0, true),
        ],
    ),
    (
        "redshift",
        "Amazon Redshift",
        &[
            quota("L-5A170101", "Nodes per cluster", 128.0, true),
            quota("L-5A170102", "Nodes", 200.0, true),
            quota("L-5A170103", "Datashares per database", 100.0, false),
        ],
    ),
    (
        "redshift-serverless",
        "Amazon Redshift Serverless",
        &[
            quota("L-5A170201", "Workgroups", 25.0, true),
            quota("L-5A170202", "Namespaces", 25.0, true),
        ],
    ),
    (
        "lakeformation",
        "AWS Lake Formation",
        &[
            quota("L-5A170301", "Data lake administrators per account", 30.0, false),
            quota("L-5A170302", "Registered paths", 10_000.0, true),
        ],
    ),
];

impl Service for ServiceQuotas {
    fn name(&self) -> &'static str {
        "service_quotas"
    }

    fn implements(&self) -> &'static [&'static str] {
        &[
            "GetAWSDefaultServiceQuota",
            "GetServiceQuota",
            "ListAWSDefaultServiceQuotas",
            "ListServiceQuotas",
            "ListServices",
        ]
    }

    fn answer(&self, call: &Call<'_>) -> Reply {
        match call.operation {
            "GetAWSDefaultServiceQuota" | "GetServiceQuota" => get(call),
            "ListAWSDefaultServiceQuotas" | "ListServiceQuotas" => {
                let (service, quotas) = service(call)?;
                let wanted = call.text("QuotaCode");
                let quotas =
                    quotas.iter().filter(|quota| wanted.is_empty() || quota.code == wanted);
                let shown = quotas.map(|quota| shown(call, service, quota)).collect();
                PAGES.page(call, "Quotas", shown)
            }
            "ListServices" => {
                let services = SERVICES
                    .iter()
                    .map(|(code, name, _)| json!({"ServiceCode": code, "ServiceName": name}));
                PAGES.page(call, "Services", services.collect())
            }
            other => Err(AwsFault::new("IllegalArgumentException", format!("{other} is unknown"))),
        }
    }
}

fn service(call: &Call<'_>) -> Result<(&'static str, &'static [Quota]), AwsFault> {
    let wanted = call.text("ServiceCode");
    SERVICES
        .iter()
        .find(|(code, _, _)| *code == wanted)
        .map(|(_, name, quotas)| (*name, *quotas))
        .ok_or_else(|| missing(&format!("the service {wanted}")))
}

fn get(call: &Call<'_>) -> Reply {
    let (service, quotas) = service(call)?;
    let code = call.text("QuotaCode");
    let found = quotas.iter().find(|quota| quota.code == code);
    let quota = found.ok_or_else(|| missing(&format!("the quota {code}")))?;
    Ok(json!({"Quota": shown(call, service, quota)}))
}

fn shown(call: &Call<'_>, service: &str, quota: &Quota) -> Value {
    let code = call.text("ServiceCode");
    // Values that apply are an account's; those that AWS presets are nobody's.
    let account = match call.operation {
        "GetServiceQuota" | "ListServiceQuotas" => call.principal.account.as_str(),
        _ => "",
    };
    json!({
        "ServiceCode": code, "ServiceName": service, "QuotaCode": quota.code,
        "QuotaArn": format!("arn:aws:servicequotas:{}:{account}:{code}/{}", call.region, quota.code),
        "QuotaName": quota.name, "Value": quota.value, "Unit": "None",
        "Adjustable": quota.adjustable, "GlobalQuota": false, "QuotaAppliedAtLevel": "ACCOUNT",
    })
}

fn missing(what: &str) -> AwsFault {
    AwsFault::new(
        "NoSuchResourceException",
        format!("The request failed because {what} does not exist in the sandbox."),
    )
}
