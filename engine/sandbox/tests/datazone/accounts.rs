//! Two accounts: a domain in the producer's, people and data in both. Each method takes a test one
//! step further.

use serde_json::{Value, json};
use time::Duration;

use crate::stage::{dz, refused, text};
use crate::support::{Bench, Client};

const PEOPLE: &str = r#"
[[people]]
alias = "admin"
administrator = true

[[people]]
alias = "publisher"
policies = ["AmazonDataZoneFullAccess", "AmazonRedshiftDataFullAccess", "AmazonRedshiftFullAccess"]

[[people]]
alias = "consumer_admin"
account = "consumer"
administrator = true

[[people]]
alias = "subscriber"
account = "consumer"
policies = ["AmazonDataZoneFullAccess", "AmazonRedshiftDataFullAccess", "AmazonRedshiftFullAccess"]
"#;

/// A provisioned cluster in each account.
pub(crate) const CLUSTERS: &str = r#"
[[clusters]]
identifier = "poc"
master_password = "Sandbox-0001"

[[clusters]]
identifier = "poc"
account = "consumer"
master_password = "Sandbox-0001"
"#;

/// A serverless workgroup in each account.
pub(crate) const WORKGROUPS: &str = r#"
[[workgroups]]
name = "poc"
admin_password = "Sandbox-0001"

[[workgroups]]
name = "poc"
account = "consumer"
admin_password = "Sandbox-0001"
"#;

/// The two accounts.
pub(crate) const PRODUCER: &str = "111111111111";
pub(crate) const CONSUMER: &str = "222222222222";

/// One account's people and what they made for DataZone.
#[derive(Clone)]
pub(crate) struct Side {
    /// Twelve digits.
    pub(crate) account: &'static str,
    /// Region of its warehouse and of what DataZone has there.
    pub(crate) region: &'static str,
    pub(crate) admin: Client,
    /// The publisher, or the subscriber.
    pub(crate) user: Client,
    pub(crate) secret: String,
    pub(crate) project: String,
    pub(crate) environment: String,
}

/// A world of two accounts and how far they have come.
pub(crate) struct Accounts {
    pub(crate) bench: Bench,
    pub(crate) producer: Side,
    pub(crate) consumer: Side,
    pub(crate) domain: String,
    pub(crate) domain_arn: String,
    /// ARN of the RAM share of the domain.
    pub(crate) share: String,
    /// The parameter that names the warehouse: `clusterName` or `workgroupName`.
    pub(crate) storage: &'static str,
}

impl Accounts {
    /// People, and what `more` of a world adds.
    pub(crate) fn new(more: &str) -> Self {
        let bench = Bench::from_toml(&format!("{more}{PEOPLE}"));
        let side = |account, admin: &str, user: &str| Side {
            account,
            region: "eu-west-1",
            admin: bench.client(admin),
            user: bench.client(user),
            secret: String::new(),
            project: String::new(),
            environment: String::new(),
        };
        let producer = side(PRODUCER, "admin", "publisher");
        let consumer = side(CONSUMER, "consumer_admin", "subscriber");
        let storage = if more.contains("[[workgroups]]") { "workgroupName" } else { "clusterName" };
        let none = String::new;
        Self {
            bench,
            producer,
            consumer,
            domain: none(),
            domain_arn: none(),
            share: none(),
            storage,
        }
    }

    /// Lets virtual time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.bench.sandbox.advance(Duration::seconds(seconds)).unwrap();
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

    /// Makes a role of one side that DataZone may assume for the domain's account.
    pub(crate) fn role(
        &self,
        side: &Side,
        name: &str,
        policy: &str,
        inline: Option<Value>,
    ) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": "datazone.amazonaws.com" },
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": { "StringEquals": { "aws:SourceAccount": PRODUCER } } }] });
        let input = json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() });
        let made = side.admin.call("iam", "CreateRole", input).unwrap();
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        let input = json!({ "RoleName": name, "PolicyArn": arn });
        side.admin.call("iam", "AttachRolePolicy", input).unwrap();
        if let Some(document) = inline {
            let input = json!({
                "RoleName": name, "PolicyName": "more", "PolicyDocument": document.to_string() });
            side.admin.call("iam", "PutRolePolicy", input).unwrap();
        }
        text(&made["Role"], "Arn").to_owned()
    }

    /// An available domain of the producer.
    pub(crate) fn with_domain(mut self) -> Self {
        let role = self.role(
            &self.producer,
            "AmazonDataZoneDomainExecutionRole",
            "service-role/AmazonDataZoneDomainExecutionRolePolicy",
            None,
        );
        self.pass(15);
        let input = json!({ "name": "shared", "domainExecutionRole": role, "domainVersion": "V1" });
        let domain = dz(&self.producer.admin, "CreateDomain", input);
        text(&domain, "id").clone_into(&mut self.domain);
        text(&domain, "arn").clone_into(&mut self.domain_arn);
        self.pass(10);
        self
    }

    /// The ARN of the first permission of domains that has portal access, or has not.
    pub(crate) fn permission(&self, portal: bool) -> String {
        let input = json!({ "resourceType": "datazone:Domain" });
        let found = self.producer.admin.call("ram", "ListPermissions", input).unwrap();
        let permissions = found["permissions"].as_array().unwrap();
        let wanted = |found: &&Value| text(found, "name").contains("Portal") == portal;
        text(permissions.iter().find(wanted).unwrap(), "arn").to_owned()
    }

    /// Shares the domain with the consumer, who accepts; DataZone has not heard of it yet.
    pub(crate) fn share(&mut self, permission: &str) {
        let admin = &self.producer.admin;
        let input = json!({
            "name": format!("DataZone-shared-{}", self.domain), "permissionArns": [permission],
            "allowExternalPrincipals": true,
        });
        let made = admin.call("ram", "CreateResourceShare", input).unwrap();
        let share = text(&made["resourceShare"], "resourceShareArn").to_owned();
        self.pass(60);
        for members in [
            json!({ "resourceShareArn": share, "principals": [CONSUMER] }),
            json!({ "resourceShareArn": share, "resourceArns": [self.domain_arn] }),
        ] {
            admin.call("ram", "AssociateResourceShare", members).unwrap();
            self.pass(60);
        }
        let asked = json!({ "resourceShareArns": [share] });
        let found = self.consumer.admin.call("ram", "GetResourceShareInvitations", asked).unwrap();
        for invitation in found["resourceShareInvitations"].as_array().unwrap() {
            let arn = &invitation["resourceShareInvitationArn"];
            let accept = json!({ "resourceShareInvitationArn": arn });
            self.consumer.admin.call("ram", "AcceptResourceShareInvitation", accept).unwrap();
        }
        self.share = share;
    }

    /// The consumer's account is associated, and DataZone knows.
    pub(crate) fn associated(self) -> Self {
        let mut accounts = self.with_domain();
        let permission = accounts.permission(true);
        accounts.share(&permission);
        accounts.pass(300);
        accounts
    }

    /// The id of a managed blueprint.
    pub(crate) fn blueprint(&self, client: &Client, name: &str) -> String {
        let input = json!({ "managed": true, "name": name });
        let found = self.ask(client, "ListEnvironmentBlueprints", input);
        text(&found["items"][0], "id").to_owned()
    }

    /// The warehouse blueprint is enabled in both accounts, each with its own roles and secret, and
    /// the people are users who may make projects.
    pub(crate) fn with_blueprints(self) -> Self {
        let mut accounts = self.associated();
        for side in [accounts.producer.clone(), accounts.consumer.clone()] {
            accounts.enable_warehouse(&side);
            let secret = accounts.secret(&side, "AmazonDataZone-poc");
            match side.account {
                PRODUCER => accounts.producer.secret = secret,
                _ => accounts.consumer.secret = secret,
            }
        }
        accounts.pass(15);
        accounts.add_people();
        accounts
    }

    /// The roles of one account, and its configuration of the warehouse blueprint.
    pub(crate) fn enable_warehouse(&self, side: &Side) {
        let provisioning = self.role(
            side,
            "AmazonDataZoneProvisioningRole",
            "AmazonDataZoneRedshiftGlueProvisioningPolicy",
            None,
        );
        let condition = json!({ "StringEquals": {
            "secretsmanager:ResourceTag/AmazonDataZoneDomain": self.domain } });
        let manage = self.role(
            side,
            "AmazonDataZoneRedshiftAccess",
            "service-role/AmazonDataZoneRedshiftManageAccessRolePolicy",
            Some(json!({ "Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*",
                "Condition": condition }] })),
        );
        let blueprint = self.blueprint(&side.admin, "DefaultDataWarehouse");
        let input = json!({
            "environmentBlueprintIdentifier": blueprint, "enabledRegions": [side.region],
            "provisioningRoleArn": provisioning, "manageAccessRoleArn": manage,
        });
        self.ask(&side.admin, "PutEnvironmentBlueprintConfiguration", input);
    }

    /// A secret of one account's superuser, tagged for the domain.
    pub(crate) fn secret(&self, side: &Side, name: &str) -> String {
        let value = json!({ "username": "awsuser", "password": "Sandbox-0001" });
        let tags = json!([
            { "Key": "AmazonDataZoneDomain", "Value": self.domain },
            { "Key": "RedshiftDataFullAccess", "Value": "true" },
        ]);
        let input = json!({ "Name": name, "SecretString": value.to_string(), "Tags": tags });
        let admin = side.admin.in_region(side.region);
        let made = admin.call("secretsmanager", "CreateSecret", input).unwrap();
        text(&made, "ARN").to_owned()
    }

    /// Publisher and subscriber become users, and everybody may make projects.
    pub(crate) fn add_people(&self) {
        for (account, name) in [(PRODUCER, "publisher"), (CONSUMER, "subscriber")] {
            let arn = format!("arn:aws:iam::{account}:user/{name}");
            let input = json!({ "userIdentifier": arn, "userType": "IAM_USER" });
            self.ask(&self.producer.admin, "CreateUserProfile", input);
        }
        let domain = dz(&self.producer.admin, "GetDomain", json!({ "identifier": self.domain }));
        let input = json!({
            "entityType": "DOMAIN_UNIT", "entityIdentifier": domain["rootDomainUnitId"],
            "policyType": "CREATE_PROJECT",
            "principal": { "user": { "allUsersGrantFilter": {} } },
            "detail": { "createProject": {} },
        });
        self.ask(&self.producer.admin, "AddPolicyGrant", input);
    }

    /// A project of one side's user; its id comes back.
    pub(crate) fn project(&self, side: &Side, name: &str) -> String {
        let made = self.ask(&side.user, "CreateProject", json!({ "name": name }));
        text(&made, "id").to_owned()
    }

    /// Begins an environment over the warehouse of one side; its id comes back.
    pub(crate) fn warehouse_environment(&self, side: &Side, name: &str) -> String {
        let input = json!({
            "name": format!("{name} profile"), "projectIdentifier": side.project,
            "environmentBlueprintIdentifier": self.blueprint(&side.user, "DefaultDataWarehouse"),
            "awsAccountId": side.account, "awsAccountRegion": side.region,
            "userParameters": [
                { "name": "dataAccessSecretsArn", "value": side.secret },
                { "name": "dbName", "value": "dev" },
                { "name": self.storage, "value": "poc" },
            ],
        });
        let profile = self.ask(&side.user, "CreateEnvironmentProfile", input);
        let input = json!({
            "name": name, "projectIdentifier": side.project,
            "environmentProfileIdentifier": profile["id"],
        });
        text(&self.ask(&side.user, "CreateEnvironment", input), "id").to_owned()
    }

    /// The environment, once its deployment has ended.
    pub(crate) fn environment(&self, side: &Side) -> Value {
        self.ask(&side.user, "GetEnvironment", json!({ "identifier": side.environment }))
    }

    /// A project and an active warehouse environment on both sides.
    pub(crate) fn with_environments(self) -> Self {
        self.with_blueprints().deployed()
    }

    /// The same, of accounts that have come that far.
    pub(crate) fn deployed(self) -> Self {
        let mut accounts = self;
        accounts.producer.project =
            accounts.project(&accounts.producer, "Redshift_Publish_Project");
        accounts.consumer.project =
            accounts.project(&accounts.consumer, "Redshift_Subscribe_Project");
        accounts.producer.environment =
            accounts.warehouse_environment(&accounts.producer, "Redshift_Publish_Environment");
        accounts.consumer.environment =
            accounts.warehouse_environment(&accounts.consumer, "redshift_subscribe_environment");
        accounts.pass(300);
        accounts
    }

    /// Where SQL runs, for the Data API: the warehouses of both sides have one name.
    fn target(&self) -> Value {
        let member = match self.storage {
            "workgroupName" => "WorkgroupName",
            _ => "ClusterIdentifier",
        };
        let mut target = json!({ "Database": "dev" });
        target[member] = json!("poc");
        target
    }

    /// Runs SQL in one side's warehouse, as `client` or with the side's secret; rows, or the error.
    pub(crate) fn sql(
        &self,
        side: &Side,
        client: &Client,
        with_secret: bool,
        sql: &str,
    ) -> Result<Value, String> {
        let mut input = self.target();
        input["Sql"] = json!(sql);
        if with_secret {
            input["SecretArn"] = json!(side.secret);
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

    /// A caller with the credentials of one side's environment.
    pub(crate) fn in_environment(&self, side: &Side) -> Client {
        let input = json!({ "environmentIdentifier": side.environment });
        let found = self.ask(&side.user, "GetEnvironmentCredentials", input);
        Client {
            access_key_id: text(&found, "accessKeyId").to_owned(),
            token: Some(text(&found, "sessionToken").to_owned()),
            ..side.user.clone()
        }
    }

    /// Runs a data source of the producer to its end: what it did, by technical name.
    pub(crate) fn run(&self, source: &Value) -> (Value, Vec<Value>) {
        let started = json!({ "dataSourceIdentifier": source });
        let run = self.ask(&self.producer.user, "StartDataSourceRun", started);
        self.pass(90);
        let named = json!({ "identifier": run["id"] });
        let ended = self.ask(&self.producer.user, "GetDataSourceRun", named.clone());
        let found = self.ask(&self.producer.user, "ListDataSourceRunActivities", named);
        (ended, found["items"].as_array().unwrap().clone())
    }

    /// Accepts all names of an asset, publishes it and waits until it is found; the listing.
    pub(crate) fn publish(&self, asset: &Value) -> Value {
        let publisher = &self.producer.user;
        let input = json!({
            "identifier": asset, "acceptRule": { "rule": "ALL", "threshold": 0.5 } });
        self.ask(publisher, "AcceptPredictions", input);
        let input = json!({
            "entityIdentifier": asset, "entityType": "ASSET", "action": "PUBLISH" });
        self.ask(publisher, "CreateListingChangeSet", input);
        self.pass(30);
        let found = self.ask(&self.consumer.user, "SearchListings", json!({}));
        let items = found["items"].as_array().unwrap();
        let of_asset = |item: &&Value| item["assetListing"]["entityId"] == *asset;
        items.iter().find(of_asset).unwrap()["assetListing"].clone()
    }

    /// The subscriber asks for a listing and the publisher accepts; the subscription's id.
    pub(crate) fn subscribe(&self, listing: &Value) -> Value {
        let input = json!({
            "subscribedPrincipals": [{ "project": { "identifier": self.consumer.project } }],
            "subscribedListings": [{ "identifier": listing }], "requestReason": "to try",
        });
        let request = self.ask(&self.consumer.user, "CreateSubscriptionRequest", input);
        let accept = json!({ "identifier": request["id"], "decisionComment": "fine" });
        self.ask(&self.producer.user, "AcceptSubscriptionRequest", accept);
        self.pass(5);
        let input = json!({ "subscriptionRequestIdentifier": request["id"] });
        let found = self.ask(&self.consumer.user, "ListSubscriptions", input);
        found["items"][0]["id"].clone()
    }

    /// The grants of a subscription, once they have ended.
    pub(crate) fn grants(&self, subscription: &Value) -> Vec<Value> {
        self.pass(60);
        let input = json!({ "subscriptionId": subscription });
        let found = self.ask(&self.consumer.user, "ListSubscriptionGrants", input);
        found["items"].as_array().unwrap().clone()
    }

    /// Makes the sample table in the publisher's own schema and publishes it; the listing.
    pub(crate) fn published_table(&self) -> Value {
        let sql = "CREATE TABLE datazone_env_redshift_publish_environment.rs_sls_tbl AS \
                   SELECT 146776932 AS ord_num, 23 AS sales_qty_sld UNION ALL SELECT 46776931, 11";
        self.sql(&self.producer, &self.producer.user, true, sql).unwrap();
        let input = json!({
            "name": "rs-publish-datasource", "type": "REDSHIFT",
            "projectIdentifier": self.producer.project,
            "environmentIdentifier": self.producer.environment,
            "recommendation": { "enableBusinessNameGeneration": true },
            "configuration": { "redshiftRunConfiguration": {
                "relationalFilterConfigurations": [{
                    "databaseName": "dev",
                    "schemaName": "datazone_env_redshift_publish_environment",
                    "filterExpressions": [{ "type": "INCLUDE", "expression": "*" }],
                }],
            } },
        });
        let source = self.ask(&self.producer.user, "CreateDataSource", input);
        self.pass(10);
        let (run, activities) = self.run(&source["id"]);
        assert_eq!(run["status"], "SUCCESS", "{run}");
        self.publish(&activities[0]["dataAssetId"])
    }
}
