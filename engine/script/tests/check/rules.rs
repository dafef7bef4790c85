//! Each kind of mistake, with its code and its place.

use piton_core::ports::ProgramFile;
use piton_script::check;

use crate::lines;

const HEAD: &str = "runbook(#{ title: \"T\", accounts: #{ a: #{} }, params: #{ mode: #{ type: \"enum\", choices: [\"fast\", \"slow\"] } } }); let m = params.mode; note(m);\n";

/// What is said of a script, `CODE line:column`; the first line is the declaration.
fn said(body: &str) -> Vec<String> {
    let file = ProgramFile { path: "t.rhai".to_owned(), text: format!("{HEAD}{body}") };
    let problems = check::check_files("t", vec![file]);
    let short = problems.iter().map(|problem| {
        let place = problem.place.as_ref().unwrap();
        format!("{} {}:{}", problem.code, place.line, place.column)
    });
    let short: Vec<String> = short.collect();
    assert!(!short.is_empty() || problems.is_empty(), "{:?}", lines(&problems));
    short
}

#[test]
fn mistakes_are_found_where_they_are() {
    let cases = [
        ("aws(\"a\").iam.list_usrs();", "PT0202 2:14"),
        ("aws(\"a\").imm.list_users();", "PT0201 2:10"),
        ("aws(\"b\").iam.list_users();", "PT0109 2:5"),
        ("let c = aws(\"a\").iam; c.get_role(#{ RoleNam: \"x\" });", "PT0203 2:37"),
        ("aws(\"a\").iam.get_role();", "PT0204 2:14"),
        ("aws(\"a\").iam.get_role(#{ RoleName: 5 });", "PT0205 2:36"),
        ("aws(\"a\").iam.get_role(#{ RoleName: \"a b\" });", "PT0205 2:36"),
        ("const NAME = \"a b\"; aws(\"a\").iam.get_role(#{ RoleName: NAME });", "PT0205 2:14"),
        (
            "aws(\"a\").iam.tag_role(#{ RoleName: \"x\", Tags: [#{ Key: \"k\", Valu: \"v\" }] });",
            "PT0203 2:61",
        ),
        ("let r = aws(\"a\").iam.get_role(#{ RoleName: \"x\" }); note(r.Role.Anr);", "PT0102 2:64"),
        (
            "let r = step(\"s\", || aws(\"a\").iam.get_role(#{ RoleName: \"x\" }).Role); note(r.Anr);",
            "PT0102 2:78",
        ),
        ("for u in aws(\"a\").iam.list_users_all().Users { note(u.Anr); }", "PT0102 2:55"),
        (
            "let l = aws(\"a\").iam.list_users().Users; note(l[0].Anr); l.map(|u| u.Anr);",
            "PT0102 2:52|PT0102 2:70",
        ),
        (
            "fn role(c) { c.iam.get_role(#{ RoleName: \"x\" }).Role }\nnote(role(aws(\"a\")).Anr);",
            "PT0102 3:21",
        ),
        ("params.mod;", "PT0104 2:8"),
        ("if params.mode == \"fsat\" { note(\"x\"); }", "PT0209 2:19"),
        (
            "wait_until(\"w\", || aws(\"a\").datazone.get_domain(#{ identifier: \"dzd_1\" }), #{ path: \"status\", ok: [\"AVAILBLE\"] });",
            "PT0209 2:100",
        ),
        (
            "wait_until(\"w\", || aws(\"a\").datazone.get_domain(#{ identifier: \"dzd_1\" }), #{ path: \"stauts\", ok: [\"AVAILABLE\"] });",
            "PT0102 2:85",
        ),
        (
            "retry(\"r\", || 1, #{ on: [\"X\"], evry: \"5s\", give_up: \"soon\" });",
            "PT0208 2:32|PT0208 2:53",
        ),
        ("let unused = 1;", "PT0111 2:5"),
        ("let fs = []; for i in 0..3 { fs.push(|| i); } output(\"n\", fs.len());", "PT0113 2:41"),
        ("let l = [1]; l.map(|x| x + l.len());", "PT0113 2:28"),
        ("approve(\"go\");", "PT0210 2:1"),
        ("fn keys() { 1 } note(#{ a: 1 }.keys()); keys();", "PT0112 2:32"),
        ("fn note(x) { x } note(1);", "PT0112 2:12"),
        ("fn total() { 1 } let total = 2; let f = || total; f.call();", "PT0113 2:44"),
        ("nte(\"x\");", "PT0102 2:1"),
        ("fn f(x) { x } f(1, 2);", "PT0208 2:15"),
        ("fn f(o) { o.name } f(#{ nmae: 1 });", "PT0102 2:13|PT0102 2:25"),
        ("fn f(o) { o.name } f(#{ nmae: 1 }); note(#{ name: 1 }.name);", "PT0102 2:25"),
        ("asset(\"gone.sql\");", "PT0108 2:7"),
        ("note(#{ a: 1, b: `${#{ c: 1 }.c}`, a: 2 }.b);", "PT0101 2:9|PT0101 2:36"),
        ("try { aws(\"a\").iam.list_users(); } catch (e) { note(e.cod); }", "PT0102 2:55"),
        (
            "try { aws(\"a\").iam.list_users(); } catch (e) { if e.get(\"cod\") == \"X\" { throw; } }",
            "PT0102 2:57",
        ),
        ("try { throw #{ mood: 1 }; } catch (e) { note(e.modo); }", "PT0102 2:48"),
        (
            "let d = approve(\"go\", #{ form: #{ size: #{} }, expires: \"1d\", on_expire: \"reject\" }); note(d.fields.sise + d.byy);",
            "PT0102 2:101|PT0102 2:110",
        ),
        (
            "let r = query(aws(\"a\"), #{ sql: \"SELECT usename FROM pg_user\", target: #{ cluster: \"c\", database: \"d\" } }); note(r.rows[0].username);",
            "PT0102 2:124",
        ),
        ("note(aws(\"a\").identity().acount);", "PT0102 2:26"),
        (
            "aws(\"a\").iam.create_role(#{ RoleName: \"x\", AssumeRolePolicyDocument: \"{}\", Tags: [] });",
            "",
        ),
        (
            "let l = []; aws(\"a\").datazone.create_subscription_request(#{ domainIdentifier: \"dzd_1\", requestReason: \"r\", subscribedListings: l, subscribedPrincipals: [] });",
            "PT0205 2:9|PT0205 2:154",
        ),
        ("aws(\"a\").athena.delete_named_query();", "PT0204 2:17"),
        (
            "aws(\"a\").redshift.register_namespace(#{ ConsumerIdentifiers: [\"x\"], NamespaceIdentifier: #{ ProvisionedIdentifier: #{ ClusterIdentifier: \"c\" } } });",
            "PT0211 2:19",
        ),
        (
            "let data = parse_json(\"{}\"); let known = #{ columns: 1 }; note(data.colmuns + known.columns);",
            "PT0114 2:69",
        ),
        (
            "let data = parse_json(\"{}\"); if data.type == \"RDESHIFT\" { aws(\"a\").datazone.list_domains(); }",
            "PT0114 2:46",
        ),
        (
            "retry(\"r\", || aws(\"a\").datazone.list_domains(), #{ on: [\"ConflictExcpetion\"] });",
            "PT0114 2:57",
        ),
    ];
    let wrong = cases.into_iter().filter_map(|(body, expected)| {
        let found = said(body).join("|");
        (found != expected).then(|| format!("{body}\n  {found} instead of {expected}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_may_be_right_is_left_alone() {
    for body in [
        "let x = #{}; x.a = 1; note(`${x.a}`);",
        "fn f(o) { if o.get(\"a\") != () { o.a } else { o.b } } f(#{ a: 1 }); f(#{ b: 2 });",
        "let e = aws(\"a\").iam.get_role(#{ RoleName: `x` }).Role; note(e.Arn + e.RoleName);",
        "let t = parse_json(\"{}\"); note(t.anything.at.all);",
        "for i in 0..3 { step(`s ${i}`, || note(`${i}`)); }",
        "for i in 0..3 { let f = || i; note(`${f.call()}`); }",
        "let input = #{}; for k in [\"RoleName\"] { input[k] = \"x\"; } aws(\"a\").iam.get_role(input);",
        "let kind = if m == \"fast\" { \"ENABLED\" } else { () }; aws(\"a\").datazone.update_domain(#{ identifier: \"dzd_1\", description: kind });",
        "try { aws(\"a\").iam.get_role(#{ RoleName: \"x\" }); } catch (e) { if e.get(\"code\") != \"NoSuchEntity\" { throw; } }",
        "fn f(o) { if o.get(\"a\") != () { return o.a; } o.b } note(f(#{ a: 1 })); note(f(#{ b: 1 }));",
        "fn f(o) { if o.get(\"a\") != () { return o.a; } let more = o.b; more } note(f(#{ a: 1 }));",
        "fn f(o) { o.get(\"first\") != () && o.first > 1 } note(`${f(#{ second: 1 })}`);",
        "fn f(o) { o.get(\"first\") == () || o.first > 1 } note(`${f(#{ second: 1 })}`);",
        "try { f(1); } catch (e) { note(e.mood); } fn f(x) { let own = #{ mood: x }; throw own; }",
        "try { throw \"text\"; } catch (e) { note(if type_of(e) == \"string\" { e } else { e.message + e.line + e.branch }); }",
        "let l = []; l.push(#{ identifier: \"x\" }); aws(\"a\").datazone.create_subscription_request(#{ domainIdentifier: \"dzd_1\", requestReason: \"r\", subscribedListings: l, subscribedPrincipals: [#{ project: #{ identifier: \"abcdef\" } }] });",
        "let data = parse_json(\"{}\"); note(data.chapters + data.names + data.name); note(#{ chapter: 1 }.chapter);",
        "let data = parse_json(\"{}\"); let known = #{ columns: 1 }; note(known.columns); note(data.get(\"colmuns\")); note(data.colmuns);",
        "aws(\"a\").redshift.describe_clusters(); let r = query(aws(\"a\"), #{ sql: \"SELECT * FROM t\", target: #{ athena: \"w\", catalog: \"c\" } }); note(r.rows[0].any + r.location);",
    ] {
        assert!(said(body).is_empty(), "{body}: {:?}", said(body));
    }
}
