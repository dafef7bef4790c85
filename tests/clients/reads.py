"""What pfizer_poc made, read by boto3: values and types, not only the absence of errors."""

import json

from story import ACCOUNT, OUTPUTS, PEOPLE, REGION, client, done, equal, integer, moment, thing, true

DOMAIN = thing("domain", "poc-domain")
PUBLISH = thing("project", "poc-publish")
CONSUME = thing("project", "poc-consume")
ENVIRONMENTS = {
    "producer": thing("environment", "poc-publish-env"),
    "consumer": thing("environment", "poc-consume-env"),
}


def identities():
    for alias, person in PEOPLE.items():
        who = client("sts", alias).get_caller_identity()
        equal(f"{alias}'s ARN", who["Arn"], person["arn"])
        equal(f"{alias}'s account", who["Account"], person["account"])
        equal("status", who["ResponseMetadata"]["HTTPStatusCode"], 200)
        true("a user id", who["UserId"].startswith("AIDA"))


def domain_and_projects():
    datazone = client("datazone")
    domains = datazone.list_domains()["items"]
    equal("domains", [item["id"] for item in domains], [DOMAIN])
    moment("the domain's creation", domains[0]["createdAt"])
    found = datazone.get_domain(identifier=DOMAIN)
    equal("name", found["name"], "poc-domain")
    equal("status", found["status"], "AVAILABLE")
    equal("arn", found["arn"], f"arn:aws:datazone:{REGION}:{ACCOUNT}:domain/{DOMAIN}")
    moment("createdAt", found["createdAt"])
    equal("single sign-on", found["singleSignOn"]["type"], "DISABLED")

    pages = datazone.get_paginator("list_projects").paginate(
        domainIdentifier=DOMAIN, PaginationConfig={"PageSize": 2}
    )
    pages = list(pages)
    true("more than one page", len(pages) > 1)
    projects = {item["id"]: item for page in pages for item in page["items"]}
    equal("projects", {PUBLISH, CONSUME} <= set(projects), True)
    for item in projects.values():
        moment("a project's creation", item["createdAt"])
        true("a creator", bool(item["createdBy"]))
    project = client("datazone", "producer").get_project(domainIdentifier=DOMAIN, identifier=PUBLISH)
    equal("project", project["name"], projects[PUBLISH]["name"])
    equal("project's status", project["projectStatus"], "ACTIVE")


def environments():
    for alias, project in [("producer", PUBLISH), ("consumer", CONSUME)]:
        datazone = client("datazone", alias)
        identifier = ENVIRONMENTS[alias]
        found = datazone.get_environment(domainIdentifier=DOMAIN, identifier=identifier)
        equal("environment", found["id"], identifier)
        equal("its project", found["projectId"], project)
        equal("its status", found["status"], "ACTIVE")
        equal("its account", found["awsAccountId"], ACCOUNT)
        equal("its region", found["awsAccountRegion"], REGION)
        moment("its creation", found["createdAt"])
        true("its resources", len(found["provisionedResources"]) > 0)
        listed = datazone.list_environments(domainIdentifier=DOMAIN, projectIdentifier=project)
        equal("listed", [item["id"] for item in listed["items"]], [identifier])


def source_and_assets():
    datazone = client("datazone", "producer")
    sources = datazone.list_data_sources(domainIdentifier=DOMAIN, projectIdentifier=PUBLISH)["items"]
    # The environment brings one of its own.
    (listed,) = [item for item in sources if item["name"] == "poc-redshift-source"]
    equal("type", listed["type"], "REDSHIFT")
    equal("status", listed["status"], "READY")
    identifier = listed["dataSourceId"]
    source = datazone.get_data_source(domainIdentifier=DOMAIN, identifier=identifier)
    equal("name", source["name"], listed["name"])
    equal("publishes on import", source["publishOnImport"], False)
    equal("business names", source["recommendation"]["enableBusinessNameGeneration"], True)
    moment("last run", source["lastRunAt"])
    cluster = source["configuration"]["redshiftRunConfiguration"]["redshiftStorage"]
    equal("cluster", cluster["redshiftClusterSource"]["clusterName"], OUTPUTS["warehouse"]["name"])

    runs = datazone.list_data_source_runs(
        domainIdentifier=DOMAIN, dataSourceIdentifier=identifier
    )["items"]
    equal("run", runs[0]["status"], "SUCCESS")
    moment("run's start", runs[0]["startedAt"])
    integer("tables added", runs[0]["runStatisticsForAssets"]["added"])
    equal("tables added", runs[0]["runStatisticsForAssets"]["added"], 2)

    listings = datazone.search_listings(domainIdentifier=DOMAIN)
    integer("matches", listings["totalMatchCount"])
    equal("matches", listings["totalMatchCount"], 2)
    for item in listings["items"]:
        listing = item["assetListing"]
        equal("owner", listing["owningProjectId"], PUBLISH)
        moment("listed at", listing["createdAt"])
        asset = datazone.get_asset(domainIdentifier=DOMAIN, identifier=listing["entityId"])
        equal("asset", asset["id"], listing["entityId"])
        equal("type of asset", asset["typeIdentifier"], "amazon.datazone.RedshiftTableAssetType")
        moment("asset's creation", asset["createdAt"])
        equal("listing of the asset", asset["listing"]["listingId"], listing["listingId"])
        forms = {form["formName"]: json.loads(form["content"]) for form in asset["formsOutput"]}
        true("columns", any("columns" in form for form in forms.values()))


def subscriptions():
    datazone = client("datazone", "producer")
    approved = datazone.list_subscriptions(
        domainIdentifier=DOMAIN, approverProjectId=PUBLISH, status="APPROVED"
    )["items"]
    equal("subscriptions", len(approved), 2)
    for item in approved:
        equal("subscriber", item["subscribedPrincipal"]["project"]["id"], CONSUME)
        equal("kept when revoked", item["retainPermissions"], False)
        moment("subscribed", item["createdAt"])
    grants = client("datazone", "consumer").list_subscription_grants(
        domainIdentifier=DOMAIN, environmentId=ENVIRONMENTS["consumer"]
    )["items"]
    equal("grants", [grant["status"] for grant in grants], ["COMPLETED", "COMPLETED"])


def warehouse():
    redshift = client("redshift")
    found = redshift.describe_clusters()["Clusters"]
    equal("clusters", [item["ClusterIdentifier"] for item in found], [OUTPUTS["warehouse"]["name"]])
    cluster = found[0]
    equal("encrypted", cluster["Encrypted"], True)
    equal("public", cluster["PubliclyAccessible"], False)
    equal("status", cluster["ClusterStatus"], "available")
    equal("port", cluster["Endpoint"]["Port"], 5439)
    moment("made", cluster["ClusterCreateTime"])
    equal("namespace", cluster["ClusterNamespaceArn"], OUTPUTS["warehouse"]["namespace"])
    redshift.get_waiter("cluster_available").wait(ClusterIdentifier=cluster["ClusterIdentifier"])


def statements():
    data = client("redshift-data")
    secret = client("secretsmanager").describe_secret(SecretId="poc/warehouse-admin")["ARN"]
    started = data.execute_statement(
        ClusterIdentifier=OUTPUTS["warehouse"]["name"],
        Database="dev",
        SecretArn=secret,
        Sql="select count(*) as n, max(ord_dt) as last, sum(ord_amt) as total, true as yes,"
        " null::int as nothing, 1.5::float as f from sales.orders where ord_num > :least",
        Parameters=[{"name": "least", "value": "1000"}],
    )
    moment("started", started["CreatedAt"])
    described = data.describe_statement(Id=started["Id"])
    while described["Status"] in ("SUBMITTED", "PICKED", "STARTED"):
        described = data.describe_statement(Id=started["Id"])
    equal("finished", described["Status"], "FINISHED")
    equal("has rows", described["HasResultSet"], True)
    equal("rows", described["ResultRows"], 1)
    integer("duration", described["Duration"])
    moment("updated", described["UpdatedAt"])
    result = data.get_statement_result(Id=started["Id"])
    equal("columns", [column["name"] for column in result["ColumnMetadata"]], ["n", "last", "total", "yes", "nothing", "f"])
    kinds = [column["typeName"] for column in result["ColumnMetadata"]]
    equal("types", kinds, ["int8", "date", "numeric", "bool", "int4", "float8"])
    row = result["Records"][0]
    equal("count", row[0]["longValue"], 10)
    equal("date", row[1]["stringValue"], "2024-02-05")
    equal("sum", row[2]["stringValue"], "8075.50")
    equal("bool", row[3]["booleanValue"], True)
    equal("null", row[4]["isNull"], True)
    equal("float", row[5]["doubleValue"], 1.5)
    equal("total", result["TotalNumRows"], 1)
    listed = data.get_paginator("list_statements").paginate(Status="ALL")
    true("listed", any(item["Id"] == started["Id"] for page in listed for item in page["Statements"]))


def secrets():
    manager = client("secretsmanager")
    pages = manager.get_paginator("list_secrets").paginate(PaginationConfig={"PageSize": 1})
    names = [secret["Name"] for page in pages for secret in page["SecretList"]]
    true("the warehouse's secret", "poc/warehouse-admin" in names)
    found = manager.describe_secret(SecretId="poc/warehouse-admin")
    moment("created", found["CreatedDate"])
    moment("changed", found["LastChangedDate"])
    tags = {tag["Key"]: tag["Value"] for tag in found["Tags"]}
    equal("tag for the domain", tags["AmazonDataZoneDomain"], DOMAIN)
    value = manager.get_secret_value(SecretId=found["ARN"])
    equal("user", json.loads(value["SecretString"])["username"], "awsuser")
    moment("value's creation", value["CreatedDate"])
    equal("stages", value["VersionStages"], ["AWSCURRENT"])


def roles_and_users():
    iam = client("iam")
    arns = [role["Arn"] for page in iam.get_paginator("list_roles").paginate() for role in page["Roles"]]
    true("roles", len(arns) >= 3)
    execution = client("datazone").get_domain(identifier=DOMAIN)["domainExecutionRole"]
    name = execution.rsplit("/", 1)[1]
    role = iam.get_role(RoleName=name)["Role"]
    equal("role", role["Arn"], execution)
    moment("role's creation", role["CreateDate"])
    integer("session", role["MaxSessionDuration"])
    services = [
        statement["Principal"]["Service"] for statement in role["AssumeRolePolicyDocument"]["Statement"]
    ]
    true("trust", any("datazone.amazonaws.com" in service for service in services))
    attached = iam.list_attached_role_policies(RoleName=name)
    equal("complete", attached["IsTruncated"], False)
    equal(
        "policies",
        [policy["PolicyName"] for policy in attached["AttachedPolicies"]],
        ["AmazonDataZoneDomainExecutionRolePolicy"],
    )
    policies = iam.list_attached_user_policies(UserName="producer-datazone")["AttachedPolicies"]
    true("producer's policies", len(policies) >= 4)
    version = iam.get_policy(PolicyArn=policies[0]["PolicyArn"])["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=policies[0]["PolicyArn"], VersionId=version)
    equal("document", document["PolicyVersion"]["Document"]["Version"], "2012-10-17")
    equal("preset version", document["PolicyVersion"]["IsDefaultVersion"], True)


identities()
domain_and_projects()
environments()
source_and_assets()
subscriptions()
warehouse()
statements()
secrets()
roles_and_users()
done("reads")
