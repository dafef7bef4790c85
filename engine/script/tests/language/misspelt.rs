//! Misspellings that no checker can see, because the text comes from outside: at run time they end the
//! run before anything is sent. Only a comparison goes on, the other way.

use piton_core::diagnostic::Code;
use piton_script::Evaluation;
use serde_json::json;

use crate::support::script;

const OUTSIDE: &str = "let outside = parse_json(`{\"a\": \"WIATING\", \"service\": \"datazoen\", \"option\": \"oks\", \"member\": \"nmae\"}`);\n";

#[test]
fn what_no_checker_sees_is_stopped_before_it_is_sent() {
    for (text, code) in [
        // A member that is read.
        (
            "aws(\"admin\").datazone.create_project(#{ domainIdentifier: \"dzd_abc12345\", name: outside.dtaaType });",
            Code::UndefinedName,
        ),
        // A value of an enumeration.
        (
            "aws(\"admin\").datazone.list_subscriptions(#{ domainIdentifier: \"dzd_abc12345\", status: outside.a });",
            Code::BadMember,
        ),
        // A member of an input.
        (
            "let input = #{ domainIdentifier: \"dzd_abc12345\", name: \"x\" }; input[outside.member] = \"x\"; aws(\"admin\").datazone.create_project(input);",
            Code::UnknownMember,
        ),
        // A service.
        ("aws(\"admin\").service(outside.service).list_domains();", Code::UnknownService),
        // An option.
        (
            "let options = #{ path: \"status\" }; options[outside.option] = [\"AVAILABLE\"];
             wait_until(\"w\", || aws(\"admin\").datazone.get_domain(#{ identifier: \"dzd_abc12345\" }), options);",
            Code::BadArgument,
        ),
    ] {
        let outcome = script(&format!("{OUTSIDE}{text}")).run();
        let Evaluation::Raised(raised) = outcome.evaluation else { panic!("{text} is not stopped") };
        assert_eq!(raised.diagnostic.code, code, "{text}: {}", raised.diagnostic.message);
        assert!(outcome.asked.calls.is_empty(), "{text}: something was sent");
    }
}

#[test]
fn a_comparison_with_a_misspelt_value_takes_the_other_way() {
    let text = "output(\"x\", if outside.a == \"WAITING\" { \"waits\" } else { \"goes on\" });";
    assert_eq!(script(&format!("{OUTSIDE}{text}")).x(), json!("goes on"));
}
