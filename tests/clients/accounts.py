"""What cross_account made in two accounts, read by boto3 as each of its four people."""

import time

from story import ACCOUNT, PEOPLE, client, done, equal, moment, thing, true

DOMAIN = thing("domain", "Demo_cross_account_domain")
CONSUMER = PEOPLE["consumer_admin"]["account"]


def the_producers_administrator():
    datazone = client("datazone", "producer_admin")
    equal("domain", datazone.get_domain(identifier=DOMAIN)["status"], "AVAILABLE")
    ram = client("ram", "producer_admin")
    share = ram.get_resource_shares(resourceOwner="SELF", resourceShareStatus="ACTIVE")
    names = [share["name"] for share in share["resourceShares"]]
    true("a share of the domain", any(name.startswith("DataZone-") for name in names))
    held = client("lakeformation", "producer_admin").list_permissions()
    holders = {
        row["Principal"]["DataLakePrincipalIdentifier"]
        for row in held["PrincipalResourcePermissions"]
    }
    true("a grant to the consumer", CONSUMER in holders)
    shares = client("redshift", "producer_admin").describe_data_shares()["DataShares"]
    equal("datashares", [share["AllowPubliclyAccessibleConsumers"] for share in shares], [False])
    events = client("cloudtrail", "producer_admin").lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateDomain"}]
    )["Events"]
    true("events of the domain's creation", len(events) > 0)
    moment("an event's time", events[0]["EventTime"])


def the_publisher():
    datazone = client("datazone", "publisher")
    for project in ["Glue_Publish_Project", "Redshift_Publish_Project"]:
        asked = datazone.list_subscription_requests(
            domainIdentifier=DOMAIN, approverProjectId=thing("project", project), status="ACCEPTED"
        )["items"]
        equal("accepted requests", len(asked), 1)
        true("a reason", bool(asked[0]["requestReason"]))


def the_consumers_administrator():
    datazone = client("datazone", "consumer_admin")
    domains = datazone.list_domains()["items"]
    equal("associated domains", [(d["id"], d["managedAccountId"]) for d in domains], [(DOMAIN, ACCOUNT)])
    shares = client("ram", "consumer_admin").get_resource_shares(resourceOwner="OTHER-ACCOUNTS")
    owners = {share["owningAccountId"] for share in shares["resourceShares"]}
    equal("owners of shares", owners, {ACCOUNT})
    invitations = client("ram", "consumer_admin").get_resource_share_invitations()
    statuses = {one["status"] for one in invitations["resourceShareInvitations"]}
    equal("invitations", statuses, {"ACCEPTED"})


def the_subscriber():
    datazone = client("datazone", "subscriber")
    found = datazone.search_listings(domainIdentifier=DOMAIN)["items"]
    names = sorted(item["assetListing"]["name"] for item in found)
    equal("listings", names, ["Market Sales Table", "Sales Table"])
    environment = thing("environment", "glue_subscribe_environment")
    keys = datazone.get_environment_credentials(
        domainIdentifier=DOMAIN, environmentIdentifier=environment
    )
    session = {
        "AccessKeyId": keys["accessKeyId"],
        "SecretAccessKey": keys["secretAccessKey"],
        "SessionToken": keys["sessionToken"],
    }
    shown = datazone.get_environment(domainIdentifier=DOMAIN, identifier=environment)
    made = {one["name"]: one["value"] for one in shown["provisionedResources"]}
    athena = client("athena", "subscriber", session)
    query = athena.start_query_execution(
        QueryString="SELECT count(*) FROM mkt_sls_table",
        QueryExecutionContext={"Database": made["glueConsumerDBName"]},
        WorkGroup=made["athenaWorkGroupName"],
    )["QueryExecutionId"]
    for _ in range(200):
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    equal("the query", (status["State"], status.get("StateChangeReason")), ("SUCCEEDED", None))
    rows = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
    equal("rows", rows[1]["Data"][0]["VarCharValue"], "11")


the_producers_administrator()
the_publisher()
the_consumers_administrator()
the_subscriber()
done("boto3 as four people")
