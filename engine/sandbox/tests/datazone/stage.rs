//! How far a proof of concept has come: each method takes a test one step further.

use piton_sandbox::Sandbox;
use serde_json::{Value, json};
use time::Duration;

use crate::support::{Bench, Client};

const PEOPLE: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "publisher"
policies = ["AmazonDataZoneFullAccess", "AmazonRedshiftDataFullAccess", "AmazonRedshiftFullAccess"]

[[people]]
alias = "subscriber"
policies = ["AmazonDataZoneFullAccess", "AmazonRedshiftDataFullAccess", "AmazonRedshiftFullAccess"]

[[people]]
alias = "stranger"
account = "consumer"
administrator = true
"#;

const WAREHOUSE: &str = r#"
[[clusters]]
identifier = "other"
master_password = "Sandbox-0001"

[[clusters]]
identifier = "poc"
master_password = "Sandbox-0001"
sql = [
  "CREATE SCHEMA sales",
  "CREATE TABLE sales.mkt_sls_table (ord_num INTEGER, sell_pr DECIMAL(10,2), ship_mode VARCHAR(20))",
  "INSERT INTO sales.mkt_sls_table VALUES (1, 9.50, 'AIR'), (2, 12.00, 'SEA'), (3, 7.25, 'AIR')",
  "CREATE TABLE sales.ctlg (id INTEGER)",
]
"#;

/// The producer's account.
pub(crate) const ACCOUNT: &str = "111111111111";

/// A world and how far the proof of concept has come in it.
pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) admin: Client,
    pub(crate) publisher: Client,
    pub(crate) subscriber: Client,
    /// Domain id.
    pub(crate) domain: String,
    /// Secret of the warehouse's master user.
    pub(crate) secret: String,
    /// Id of the warehouse blueprint.
    pub(crate) blueprint: String,
    pub(crate) publish_project: String,
    pub(crate) subscribe_project: String,
    pub(crate) publish_environment: String,
    pub(crate) subscribe_environment: String,
}

/// A call of DataZone that must succeed, with an answer that the model accepts.
pub(crate) fn dz(client: &Client, operation: &str, input: Value) -> Value {
    let answer = client
        .call("datazone", operation, input.clone())
        .unwrap_or_else(|refused| panic!("{operation} {input}: {refused:?}"));
    let model = piton_models::service("datazone").unwrap();
    if let Some(output) = &model.operations[operation].output {
        let problems = piton_models::validate::validate(model, &output.shape, &answer, &|_| false);
        assert!(problems.is_empty(), "{operation} answers {answer}: {problems:?}");
    }
    answer
}

/// The code and status of a call of DataZone that must be refused.
pub(crate) fn refused(client: &Client, operation: &str, input: Value) -> (String, u16) {
    match client.call("datazone", operation, input) {
        Ok(answer) => panic!("{operation} was not refused: {answer}"),
        Err((code, _, status)) => (code, status),
    }
}

/// A text member.
pub(crate) fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("no {member} in {value}"))
}

/// What DataZone answers to who may not, and for what is not there.
pub(crate) fn forbidden() -> (String, u16) {
    ("AccessDeniedException".to_owned(), 403)
}

/// A conflict.
pub(crate) fn conflict() -> (String, u16) {
    ("ConflictException".to_owned(), 409)
}

/// An input that is not accepted.
pub(crate) fn invalid() -> (String, u16) {
    ("ValidationException".to_owned(), 400)
}

/// Something that is not there, inside a project.
pub(crate) fn absent() -> (String, u16) {
    ("ResourceNotFoundException".to_owned(), 404)
}

/// Lets virtual time pass.
pub(crate) fn pass(sandbox: &Sandbox, seconds: i64) {
    sandbox.advance(Duration::seconds(seconds)).unwrap();
}

impl Stage {
    /// People and a warehouse, nothing of DataZone.
    pub(crate) fn new() -> Self {
        Self::in_world(&format!("{PEOPLE}{WAREHOUSE}"))
    }

    /// People only, for what needs no warehouse.
    pub(crate) fn without_warehouse() -> Self {
        Self::in_world(PEOPLE)
    }

    fn in_world(text: &str) -> Self {
        let bench = Bench::from_toml(text);
        let [admin, publisher, subscriber] =
            ["admin", "publisher", "subscriber"].map(|alias| bench.client(alias));
        Self {
            bench,
            admin,
            publisher,
            subscriber,
            domain: String::new(),
            secret: String::new(),
            blueprint: String::new(),
            publish_project: String::new(),
            subscribe_project: String::new(),
            publish_environment: String::new(),
            subscribe_environment: String::new(),
        }
    }

    /// Lets virtual time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        pass(&self.bench.sandbox, seconds);
    }

    /// An input with the domain in it.
    pub(crate) fn inside(&self, mut input: Value) -> Value {
        input["domainIdentifier"] = json!(self.domain);
        input
    }

    /// A call inside the domain that must succeed.
    pub(crate) fn ask(&self, client: &Client, operation: &str, input: Value) -> Value {
        dz(client, operation, self.inside(input))
    }

    /// A call inside the domain that must be refused.
    pub(crate) fn refused(&self, client: &Client, operation: &str, input: Value) -> (String, u16) {
        refused(client, operation, self.inside(input))
    }

    /// Makes a role that DataZone may assume.
    pub(crate) fn role(&self, name: &str, policies: &[&str], inline: Option<Value>) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "datazone.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": { "StringEquals": { "aws:SourceAccount": ACCOUNT } } }] });
        let input = json!({
            "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
        let made = self.admin.call("iam", "CreateRole", input).unwrap();
        for policy in policies {
            let arn = format!("arn:aws:iam::aws:policy/{policy}");
            let input = json!({ "RoleName": name, "PolicyArn": arn });
            self.admin.call("iam", "AttachRolePolicy", input).unwrap();
        }
        if let Some(document) = inline {
            let input = json!({
                "RoleName": name, "PolicyName": "more", "PolicyDocument": document.to_string() });
            self.admin.call("iam", "PutRolePolicy", input).unwrap();
        }
        text(&made["Role"], "Arn").to_owned()
    }

    /// An available domain, made by the administrator.
    pub(crate) fn with_domain(mut self) -> Self {
        let role = self.role(
            "AmazonDataZoneDomainExecutionRole",
            &["service-role/AmazonDataZoneDomainExecutionRolePolicy"],
            None,
        );
        self.pass(15);
        let domain = dz(
            &self.admin,
            "CreateDomain",
            json!({ "name": "poc", "domainExecutionRole": role, "domainVersion": "V1" }),
        );
        text(&domain, "id").clone_into(&mut self.domain);
        self.pass(10);
        self
    }

    /// The blueprint enabled, with its roles and a tagged secret.
    pub(crate) fn with_blueprint(self) -> Self {
        let mut stage = self.with_domain();
        let provisioning = stage.role(
            "AmazonDataZoneProvisioningRole",
            &["AmazonDataZoneRedshiftGlueProvisioningPolicy"],
            None,
        );
        let condition = json!({ "StringEquals": {
            "secretsmanager:ResourceTag/AmazonDataZoneDomain": stage.domain } });
        let manage = stage.role(
            "AmazonDataZoneRedshiftAccess",
            &["service-role/AmazonDataZoneRedshiftManageAccessRolePolicy"],
            Some(json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
                "Condition": condition }] })),
        );
        stage.pass(15);
        stage.secret = stage.secret_named("AmazonDataZone-poc", Some(&stage.domain));
        let found = stage.ask(
            &stage.admin,
            "ListEnvironmentBlueprints",
            json!({ "managed": true, "name": "DefaultDataWarehouse" }),
        );
        text(&found["items"][0], "id").clone_into(&mut stage.blueprint);
        stage.ask(
            &stage.admin,
            "PutEnvironmentBlueprintConfiguration",
            json!({
                "environmentBlueprintIdentifier": stage.blueprint,
                "enabledRegions": ["eu-west-1"],
                "provisioningRoleArn": provisioning, "manageAccessRoleArn": manage,
            }),
        );
        stage
    }

    /// A secret of the warehouse's master user.
    pub(crate) fn secret_named(&self, name: &str, domain: Option<&str>) -> String {
        let tags: Vec<Value> = domain
            .iter()
            .map(|domain| json!({ "Key": "AmazonDataZoneDomain", "Value": domain }))
            .chain([json!({ "Key": "RedshiftDataFullAccess", "Value": "true" })])
            .collect();
        let value = json!({ "username": "awsuser", "password": "Sandbox-0001" });
        let input = json!({ "Name": name, "SecretString": value.to_string(), "Tags": tags });
        let made = self.admin.call("secretsmanager", "CreateSecret", input).unwrap();
        text(&made, "ARN").to_owned()
    }

    /// Everybody may make projects, and two are made.
    pub(crate) fn with_projects(self) -> Self {
        let mut stage = self.with_blueprint();
        stage.let_everybody_create_projects();
        let project = |client: &Client, name: &str| {
            let made = stage.ask(client, "CreateProject", json!({ "name": name }));
            text(&made, "id").to_owned()
        };
        let publish = project(&stage.publisher, "publish");
        let subscribe = project(&stage.subscriber, "subscribe");
        stage.publish_project = publish;
        stage.subscribe_project = subscribe;
        stage
    }

    /// Adds the policy grant that opens project creation.
    pub(crate) fn let_everybody_create_projects(&self) {
        self.ask(
            &self.admin,
            "AddPolicyGrant",
            json!({
                "entityType": "DOMAIN_UNIT", "entityIdentifier": self.root_unit(),
                "policyType": "CREATE_PROJECT",
                "principal": { "user": { "allUsersGrantFilter": {} } },
                "detail": { "createProject": {} },
            }),
        );
    }

    /// The root domain unit's id.
    pub(crate) fn root_unit(&self) -> String {
        let domain = dz(&self.admin, "GetDomain", json!({ "identifier": self.domain }));
        text(&domain, "rootDomainUnitId").to_owned()
    }

    /// Makes a profile over the cluster `poc`; its id comes back.
    pub(crate) fn profile(
        &self,
        client: &Client,
        project: &str,
        name: &str,
        level: &str,
    ) -> String {
        self.profile_over("poc", client, project, name, level)
    }

    /// Makes a profile over a cluster; its id comes back.
    pub(crate) fn profile_over(
        &self,
        cluster: &str,
        client: &Client,
        project: &str,
        name: &str,
        level: &str,
    ) -> String {
        let made = self.ask(
            client,
            "CreateEnvironmentProfile",
            json!({
                "name": name, "projectIdentifier": project,
                "environmentBlueprintIdentifier": self.blueprint,
                "awsAccountId": ACCOUNT, "awsAccountRegion": "eu-west-1",
                "userParameters": [
                    { "name": "dataAccessSecretsArn", "value": self.secret },
                    { "name": "dbName", "value": "dev" },
                    { "name": "clusterName", "value": cluster },
                    { "name": "profilePermissionLevel", "value": level },
                ],
            }),
        );
        text(&made, "id").to_owned()
    }

    /// Begins an environment; its id comes back.
    pub(crate) fn environment(
        &self,
        client: &Client,
        project: &str,
        profile: &str,
        name: &str,
    ) -> String {
        let made = self.ask(
            client,
            "CreateEnvironment",
            json!({
                "name": name, "projectIdentifier": project,
                "environmentProfileIdentifier": profile,
            }),
        );
        assert_eq!(made["status"], "CREATING");
        text(&made, "id").to_owned()
    }

    /// The state of an environment.
    pub(crate) fn environment_status(&self, client: &Client, id: &str) -> String {
        let found = self.ask(client, "GetEnvironment", json!({ "identifier": id }));
        text(&found, "status").to_owned()
    }

    /// Two active environments.
    pub(crate) fn with_environments(self) -> Self {
        let mut stage = self.with_projects();
        let profile = stage.profile(
            &stage.publisher,
            &stage.publish_project,
            "publish profile",
            "FULL_ACCESS",
        );
        stage.publish_environment =
            stage.environment(&stage.publisher, &stage.publish_project, &profile, "Pub Env");
        let profile = stage.profile(
            &stage.subscriber,
            &stage.subscribe_project,
            "subscribe profile",
            "LIMITED_ACCESS",
        );
        stage.subscribe_environment =
            stage.environment(&stage.subscriber, &stage.subscribe_project, &profile, "sub-env");
        stage.pass(300);
        for (client, id) in [
            (&stage.publisher, &stage.publish_environment),
            (&stage.subscriber, &stage.subscribe_environment),
        ] {
            assert_eq!(stage.environment_status(client, id), "ACTIVE");
        }
        stage
    }

    /// A data source over the `sales` schema; its id comes back.
    pub(crate) fn source(&self, name: &str, include: &str) -> String {
        let made = self.ask(
            &self.publisher,
            "CreateDataSource",
            json!({
                "name": name, "type": "REDSHIFT", "projectIdentifier": self.publish_project,
                "environmentIdentifier": self.publish_environment,
                "recommendation": { "enableBusinessNameGeneration": true },
                "configuration": { "redshiftRunConfiguration": {
                    "relationalFilterConfigurations": [{
                        "databaseName": "dev", "schemaName": "sales",
                        "filterExpressions": [{ "type": "INCLUDE", "expression": include }],
                    }],
                } },
            }),
        );
        self.pass(6);
        text(&made, "id").to_owned()
    }

    /// Runs a data source to its end; the run comes back.
    pub(crate) fn run(&self, source: &str) -> Value {
        let run = self.ask(
            &self.publisher,
            "StartDataSourceRun",
            json!({ "dataSourceIdentifier": source }),
        );
        assert_eq!(run["status"], "REQUESTED");
        self.pass(60);
        self.ask(&self.publisher, "GetDataSourceRun", json!({ "identifier": run["id"] }))
    }

    /// What a run did, by technical name: status and asset.
    pub(crate) fn activities(&self, run: &Value) -> Vec<(String, String, Option<String>)> {
        let found = self.ask(
            &self.publisher,
            "ListDataSourceRunActivities",
            json!({ "identifier": run["id"] }),
        );
        let items = found["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| {
                (
                    text(item, "technicalName").to_owned(),
                    text(item, "dataAssetStatus").to_owned(),
                    item["dataAssetId"].as_str().map(str::to_owned),
                )
            })
            .collect()
    }

    /// Imports and publishes `sales.mkt_sls_table`: the asset's and the listing's ids.
    pub(crate) fn publish(&self) -> (String, String) {
        let run = self.run(&self.source("sales", "mkt_*"));
        let asset = self.activities(&run)[0].2.clone().unwrap();
        let listing = self.list(&asset);
        (asset, listing)
    }

    /// Publishes an asset and waits until it is found; the listing's id comes back.
    pub(crate) fn list(&self, asset: &str) -> String {
        let listing = self.ask(
            &self.publisher,
            "CreateListingChangeSet",
            json!({ "entityIdentifier": asset, "entityType": "ASSET", "action": "PUBLISH" }),
        );
        self.pass(30);
        text(&listing, "listingId").to_owned()
    }

    /// Asks for a listing; the request's id comes back.
    pub(crate) fn request(&self, listing: &str) -> String {
        let made = self.ask(&self.subscriber, "CreateSubscriptionRequest", self.asking(listing));
        assert_eq!(made["status"], "PENDING");
        text(&made, "id").to_owned()
    }

    /// The input of a request for a listing.
    pub(crate) fn asking(&self, listing: &str) -> Value {
        json!({
            "subscribedPrincipals": [{ "project": { "identifier": self.subscribe_project } }],
            "subscribedListings": [{ "identifier": listing }],
            "requestReason": "to try",
        })
    }

    /// Asks for a listing and accepts; the subscription's id comes back.
    pub(crate) fn subscribe(&self, listing: &str) -> String {
        let request = self.request(listing);
        let accept = json!({ "identifier": request, "decisionComment": "fine" });
        self.ask(&self.publisher, "AcceptSubscriptionRequest", accept);
        self.pass(4);
        let found = self.ask(
            &self.subscriber,
            "ListSubscriptions",
            json!({ "subscriptionRequestIdentifier": request }),
        );
        text(&found["items"][0], "id").to_owned()
    }

    /// The grants of a subscription.
    pub(crate) fn grants(&self, subscription: &str) -> Vec<Value> {
        let found = self.ask(
            &self.subscriber,
            "ListSubscriptionGrants",
            json!({ "subscriptionId": subscription }),
        );
        found["items"].as_array().unwrap().clone()
    }

    /// A caller with the credentials of an environment.
    pub(crate) fn in_environment(&self, client: &Client, environment: &str) -> Client {
        let found = self.ask(
            client,
            "GetEnvironmentCredentials",
            json!({ "environmentIdentifier": environment }),
        );
        Client {
            access_key_id: text(&found, "accessKeyId").to_owned(),
            token: Some(text(&found, "sessionToken").to_owned()),
            ..client.clone()
        }
    }

    /// Runs SQL on the cluster `poc`, as the caller or with a secret; the rows, or the error.
    pub(crate) fn sql(
        &self,
        client: &Client,
        secret: Option<&str>,
        sql: &str,
    ) -> Result<Value, String> {
        self.sql_on("poc", client, secret, sql)
    }

    /// Runs SQL on a cluster, as the caller or with a secret; the rows, or the error.
    pub(crate) fn sql_on(
        &self,
        cluster: &str,
        client: &Client,
        secret: Option<&str>,
        sql: &str,
    ) -> Result<Value, String> {
        let mut input = json!({ "ClusterIdentifier": cluster, "Database": "dev", "Sql": sql });
        if let Some(secret) = secret {
            input["SecretArn"] = json!(secret);
        }
        let started = client
            .call("redshift_data", "ExecuteStatement", input)
            .map_err(|(code, message, _)| format!("{code}: {message}"))?;
        self.pass(10);
        let id = json!({ "Id": started["Id"] });
        let ended = client.call("redshift_data", "DescribeStatement", id.clone()).unwrap();
        match text(&ended, "Status") {
            "FINISHED" if ended["HasResultSet"] == true => {
                let result = client.call("redshift_data", "GetStatementResult", id).unwrap();
                Ok(result["Records"].clone())
            }
            "FINISHED" => Ok(Value::Null),
            _ => Err(text(&ended, "Error").to_owned()),
        }
    }

    /// Runs SQL as the warehouse's master user.
    pub(crate) fn master_sql(&self, sql: &str) -> Value {
        self.sql(&self.admin, Some(&self.secret), sql).unwrap()
    }
}
