//! Calls of AWS: what reaches the host, and what is refused before.

use piton_core::account::{AccountRef, Derivation};
use piton_core::catalogue::Class;
use piton_core::diagnostic::Code;
use serde_json::json;

use crate::support::{found, hints, mark, script, whole_script};

#[test]
fn a_call_reaches_the_host_with_all_that_is_known_of_it() {
    let text = "let p = aws(\"admin\").datazone.create_project(#{ domainIdentifier: \"dzd_abc12345\", name: \"sales\", description: () });
                output(\"x\", [p.id, p.description, p.name]);";
    let outcome = script(text)
        .answer("datazone.create_project", json!({ "id": "prj1", "name": "sales" }))
        .run();
    assert_eq!(outcome.asked.outputs[0].1, json!(["prj1", null, "sales"]));
    let call = &outcome.asked.calls[0];
    assert_eq!(call.account, AccountRef::alias("admin"));
    assert_eq!((call.service.as_str(), call.operation.as_str()), ("datazone", "create_project"));
    assert_eq!(call.input, json!({ "domainIdentifier": "dzd_abc12345", "name": "sales" }));
    assert_eq!((call.class, call.all_pages), (Class::NaturalKey, false));
    let place = call.place.as_ref().unwrap();
    assert_eq!((place.line, place.column, place.end_column), (2, 31, 45));
}

#[test]
fn the_token_is_the_engine_s_unless_the_script_gives_one() {
    let create = |more: &str| {
        let text = format!(
            "aws(\"admin\").secretsmanager.create_secret(#{{ Name: \"s\", SecretString: \"x\"{more} }});"
        );
        script(&text).run().asked.calls.remove(0)
    };
    assert_eq!(create("").token_member.as_deref(), Some("ClientRequestToken"));
    let own = ", ClientRequestToken: \"0123456789012345678901234567890123456789\"";
    assert_eq!(create(own).token_member, None);
}

#[test]
fn all_pages_are_one_call() {
    let text =
        "aws(\"admin\").datazone.list_domains_all(); aws(\"admin\").datazone.list_domains();";
    let calls = script(text).run().asked.calls;
    let seen: Vec<_> = calls.iter().map(|call| (call.operation.as_str(), call.all_pages)).collect();
    assert_eq!(seen, [("list_domains", true), ("list_domains", false)]);
    let raised =
        script("aws(\"admin\").datazone.get_domain_all(#{ identifier: \"dzd_abc12345\" });")
            .raised();
    assert_eq!(raised.diagnostic.code, Code::UnknownOperation);
    assert!(hints(&raised.diagnostic).contains("call `get_domain`"));
}

#[test]
fn absent_members_of_answers_are_there_at_every_depth() {
    let text = "let d = aws(\"admin\").datazone.get_domain(#{ identifier: \"dzd_abc12345\" });
                let l = aws(\"admin\").datazone.list_domains();
                output(\"x\", [d.description, d.singleSignOn.userAssignment, l.items[0].portalUrl, l.nextToken]);";
    let outcome = script(text)
        .answer(
            "datazone.get_domain",
            json!({ "id": "dzd_1", "singleSignOn": { "type": "IAM_IDC" } }),
        )
        .answer("datazone.list_domains", json!({ "items": [{ "id": "dzd_1" }] }));
    assert_eq!(outcome.x(), json!([null, null, null, null]));
}

#[test]
fn derived_accounts_name_their_derivation() {
    let text = "let a = aws(\"admin\");
                a.environment(\"dzd_1\", \"env_1\").redshift_data.list_statements();
                a.assume(\"arn:aws:iam::111122223333:role/r\", #{ external_id: \"x\" }).iam.list_roles();
                a.region(\"eu-central-1\").iam.list_roles();
                note(`${a.region(\"us-east-1\")} ${a.datazone}`);
                output(\"x\", a.identity());";
    let asked = script(text).run().asked;
    let derived: Vec<_> = asked.calls.iter().map(|call| call.account.derived[0].clone()).collect();
    assert_eq!(
        derived,
        [
            Derivation::Environment { domain: "dzd_1".into(), environment: "env_1".into() },
            Derivation::Assume {
                role_arn: "arn:aws:iam::111122223333:role/r".into(),
                external_id: Some("x".into()),
                session_name: None,
            },
            Derivation::Region { region: "eu-central-1".into() },
        ]
    );
    assert_eq!(asked.notes, ["admin.region(us-east-1) admin.datazone"]);
    assert_eq!(asked.outputs[0].1["account"], "111122223333");
}

const MANY: &str = "runbook(#{ title: \"T\", accounts: #{ tenant: #{ many: true } } });\n";

#[test]
fn an_alias_of_several_accounts_says_which() {
    let text =
        "for id in [\"111122223333\", \"444455556666\"] { aws(\"tenant\", id).iam.list_users(); }
                note(`${aws(\"tenant\", \"111122223333\").region(\"us-east-1\")}`);";
    let asked = whole_script(&format!("{MANY}{text}")).run().asked;
    let accounts: Vec<_> = asked.calls.iter().map(|call| call.account.alias.as_str()).collect();
    assert_eq!(accounts, ["tenant/111122223333", "tenant/444455556666"]);
    assert_eq!(asked.notes, ["tenant/111122223333.region(us-east-1)"]);
    for (call, hint) in [
        ("aws(\"tenant\", \"1111\")", "twelve digits"),
        ("aws(\"tenant\", 111122223333)", "text"),
        ("aws(\"ten\" + \"ant\")", "aws(\"tenant\", account_id)"),
    ] {
        let diagnostic = whole_script(&format!("{MANY}{call}")).raised().diagnostic;
        assert_eq!(diagnostic.code, Code::BadArgument, "{call}");
        let told = format!("{} {}", diagnostic.message, hints(&diagnostic));
        assert!(told.contains(hint), "{call}: {told}");
    }
}

#[test]
fn an_alias_that_is_written_out_names_an_account_where_it_stands_for_several() {
    let problems = whole_script(&format!("{MANY}aws(\"tenant\").iam.list_users();")).refused();
    assert_eq!(found(&problems[0]), (Code::BadArgument, "test.rhai:2:5 \"tenant\"".to_owned()));
    let problems = script("aws(\"admin\", \"111122223333\").iam.list_users();").refused();
    assert!(hints(&problems[0]).contains("declare `admin: #{ many: true }`"));
}

#[test]
fn what_the_models_do_not_know_is_refused_with_a_suggestion() {
    for (call, code, at, hint) in [
        ("aws(\"ad\" + \"mn\").datazone", Code::UnknownAlias, "aws", "did you mean \"admin\"?"),
        ("aws(\"admin\").datazon", Code::UnknownService, "datazon", "did you mean `datazone`?"),
        (
            "aws(\"admin\").datazone.creat_project(#{})",
            Code::UnknownOperation,
            "creat_project",
            "did you mean `create_project`?",
        ),
        (
            "aws(\"admin\").datazone.create_role(#{})",
            Code::UnknownOperation,
            "create_role",
            "an operation of iam",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifer: \"dzd_abc12345\" })",
            Code::UnknownMember,
            "get_domain",
            "did you mean `identifier`?",
        ),
        (
            "aws(\"admin\").datazone.get_domain()",
            Code::MissingMember,
            "get_domain",
            "piton explain datazone.get_domain",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifier: 5 })",
            Code::BadMember,
            "get_domain",
            "write \"5\"",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifier: \"not a domain\" })",
            Code::BadMember,
            "get_domain",
            "piton explain",
        ),
        (
            "aws(\"admin\").datazone.get_domain(\"dzd_abc12345\")",
            Code::BadMember,
            "get_domain",
            "get_domain(#{",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifier: || 1 })",
            Code::NotPlainData,
            "get_domain",
            "",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifier: 0.0 / 0.0 })",
            Code::NotPlainData,
            "get_domain",
            "",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ identifier: aws(\"admin\") })",
            Code::NotPlainData,
            "get_domain",
            "",
        ),
        (
            "aws(\"admin\").datazone.get_domain(#{ \"$secret\": 1 })",
            Code::NotPlainData,
            "get_domain",
            "",
        ),
        ("aws(\"ad\" + \"min\", \"111122223333\")", Code::BadArgument, "aws", "many: true"),
        ("aws(5)", Code::BadArgument, "aws", "aws(\"alias\")"),
    ] {
        let outcome = script(&format!("let r = {call};")).run();
        assert!(outcome.asked.calls.is_empty(), "{call} was sent");
        let piton_script::Evaluation::Raised(raised) = outcome.evaluation else { panic!("{call}") };
        let column = format!("let r = {call};").find(at).unwrap() + 1;
        let place = format!("test.rhai:2:{column} {at}");
        assert_eq!(found(&raised.diagnostic), (code, place), "{call}");
        assert!(hints(&raised.diagnostic).contains(hint), "{call}: {:?}", raised.diagnostic.hints);
        assert!(raised.thrown.is_none(), "{call}");
    }
}

#[test]
fn every_problem_of_an_input_is_said_at_once() {
    let text = "aws(\"admin\").datazone.create_project(#{ nmae: \"x\", description: 5 });";
    let diagnostic = script(text).raised().diagnostic;
    let all = format!("{} {}", diagnostic.message, hints(&diagnostic));
    for part in
        ["`nmae`", "did you mean `name`?", "`description`", "`domainIdentifier` is required"]
    {
        assert!(all.contains(part), "{part} is not in {all}");
    }
    assert!(!all.contains("`name` is required"), "it is given, misspelt: {all}");
}

#[test]
fn bytes_are_sent_as_base64() {
    let text = "let b = blob(3, 65); aws(\"admin\").secretsmanager.create_secret(#{ Name: \"s\", SecretBinary: b });";
    assert_eq!(script(text).run().asked.calls[0].input["SecretBinary"], "QUFB");
}

#[test]
fn big_and_broken_numbers_keep_their_kind() {
    let text = "let c = aws(\"admin\").redshift.describe_clusters(#{ MaxRecords: 20 });
                output(\"x\", [c.Clusters[0].NumberOfNodes + 1, type_of(c.Clusters[0].TotalStorageCapacityInMegaBytes)]);";
    let answer = json!({ "Clusters": [{ "NumberOfNodes": 2, "TotalStorageCapacityInMegaBytes": 9_007_199_254_740_993_i64 }] });
    assert_eq!(script(text).answer("redshift.describe_clusters", answer).x(), json!([3, "i64"]));
}

#[test]
fn a_call_in_a_closure_of_the_runbook_keeps_its_place_wherever_it_is_called() {
    let module = "fn direct(f) { f.call() }\nfn in_step(f) { step(\"s\", f) }\nfn in_map(f) { [1].map(f) }\nfn in_wait(f) { wait_until(\"w\", f, #{ ok: () , gone: \"x\" }) }";
    for way in ["direct", "in_step"] {
        let text = format!(
            "import \"./m\" as m;\n\n\nm::{way}(|| aws(\"admin\").datazone.list_domains());"
        );
        let calls = script(&text).file("m.rhai", module).run().asked.calls;
        let place = calls[0].place.clone().unwrap();
        assert_eq!((place.file.as_str(), place.line), ("test.rhai", 5), "{way}");
    }
    let text = "import \"./m\" as m;\n\n\nm::in_map(|x| aws(\"admin\").datazone.list_domains());";
    let raised = script(text)
        .file("m.rhai", module)
        .answers_with("datazone.list_domains", crate::support::Answer::Error("X", "no"))
        .raised();
    assert_eq!(mark(&raised.diagnostic), "test.rhai:5:37 list_domains");
}

#[test]
fn a_service_without_a_typed_client_is_called_by_its_model() {
    let text = "let s3 = aws(\"admin\").service(\"s3\");
                let h = s3.head_bucket(#{ Bucket: \"data-lake\" });
                s3.create_bucket(#{ Bucket: \"data-lake\" });
                s3.list_objects_v2_all(#{ Bucket: \"data-lake\" });
                aws(\"admin\").service(\"glue\").get_table(#{ DatabaseName: \"d\", Name: \"t\" });
                output(\"x\", [h.BucketRegion, h.BucketArn]);";
    let outcome =
        script(text).answer("s3.head_bucket", json!({ "BucketRegion": "eu-west-1" })).run();
    assert_eq!(outcome.asked.outputs[0].1, json!(["eu-west-1", null]));
    let calls = &outcome.asked.calls;
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (&*call.service, &*call.operation, call.class, call.all_pages))
        .collect();
    assert_eq!(
        seen,
        [
            ("s3", "head_bucket", Class::Read, false),
            // A bucket is found again by its name.
            ("s3", "create_bucket", Class::NaturalKey, false),
            ("s3", "list_objects_v2", Class::Read, true),
            ("glue", "get_table", Class::Read, false),
        ]
    );
}

#[test]
fn such_a_call_is_checked_like_any() {
    let member = script("aws(\"admin\").service(\"s3\").head_bucket(#{ Buckt: \"b\" });").raised();
    assert_eq!(member.diagnostic.code, Code::UnknownMember);
    assert!(hints(&member.diagnostic).contains("did you mean `Bucket`?"));
    let service = script("aws(\"admin\").service(\"storage\");").raised();
    assert_eq!(service.diagnostic.code, Code::UnknownService);
    let hints = hints(&service.diagnostic);
    assert!(hints.contains("services: athena, ") && hints.contains("service_quotas"), "{hints}");
}
