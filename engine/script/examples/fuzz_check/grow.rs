//! Scripts of one construct, nested or repeated very often: what takes time that grows too fast.

use piton_core::ports::ProgramFile;

use crate::chance::Chance;

const HEAD: &str = "runbook(#{ title: \"T\", accounts: #{ admin: #{} } });\n\
                    let xs = [1]; let y = 0; let known = #{ member: 1 }; let data = parse_json(\"{}\");\n";

/// What is put around what: before and after; `N` stands for the level.
const NESTED: [(&str, &str); 13] = [
    ("for iN in xs { y = [y, iN]; ", "} "),
    ("while y != N { y = [y]; ", "} "),
    ("do { y = #{ a: y }; ", "} while y != N; "),
    ("if y == N { y = #{ a: y, b: y }; ", "} else { y = [y, N]; } "),
    ("try { y = [y]; ", "} catch (e) { y = [e, y]; } "),
    ("switch y { N => { y = [y]; ", "}, _ => y = #{ a: y } } "),
    ("xs.map(|xN| { y = [y, xN]; ", "}); "),
    ("step(\"sN\", || { y = #{ m: y }; ", "}); "),
    ("retry(\"rN\", || { y += \"a\"; ", "}, #{ on: [\"X\"] }); "),
    ("y = #{ a: (|| { ", "}).call(), b: y }; "),
    ("parallel(#{ a: || { y = [y]; ", "}, b: || y }); "),
    ("for (iN, jN) in xs { if iN == y { y = iN; continue; } ", "} "),
    ("y = f(|| { y = [y]; ", "}); "),
];

/// What is said again and again.
const REPEATED: [&str; 18] = [
    "y = y + y; ",
    "y = [y, y]; ",
    "y = #{ a: y, b: y }; ",
    "y += #{ mN: y }; ",
    "y.mN = y; ",
    "y[N] = y; ",
    "y.push(y); ",
    "if y == N { y = #{ mN: y }; } ",
    "let vN = [y, N]; ",
    "y = f(|| y); ",
    "y = known.mmebeN; ",
    "y = data.mebmerN; ",
    "y = \"VALUEN\"; ",
    "aws(\"admin\").iam.list_usrsN(); ",
    "aws(\"admin\").iam.get_role(#{ RoleNameN: y }); ",
    "y = params.pN; ",
    "wait_until(\"wN\", || y, #{ ok: [\"SN\"] }); ",
    "y = if y == \"SN\" { \"T\" } else { y }; ",
];

/// A script of one construct, or of two of them.
pub(crate) fn program(chance: &mut Chance) -> Vec<ProgramFile> {
    let mut text = HEAD.to_owned();
    text.push_str("fn f(c) { [c.call(), c.call()] }\n");
    if chance.once_in(4) {
        functions(chance, &mut text);
    } else if chance.once_in(2) {
        nested(chance, &mut text);
    } else {
        repeated(chance, &mut text);
    }
    text.push_str("output(\"y\", y);\n");
    vec![ProgramFile { path: "t.rhai".to_owned(), text }]
}

fn nested(chance: &mut Chance, text: &mut String) {
    let (one, other) = (chance.of(&NESTED), chance.of(&NESTED));
    let count = 2 + chance.below(50);
    let mut ends = Vec::new();
    for level in 0..count {
        let (start, end) = if level % 2 == 0 { one } else { other };
        text.push_str(&start.replace('N', &level.to_string()));
        ends.push(end.replace('N', &level.to_string()));
    }
    ends.iter().rev().for_each(|end| text.push_str(end));
}

fn repeated(chance: &mut Chance, text: &mut String) {
    let (one, other) = (chance.of(&REPEATED), chance.of(&REPEATED));
    let most = *chance.of(&[100, 1_000, 20_000]);
    let count = 2 + chance.below(most);
    let in_loop = chance.once_in(3);
    text.push_str(if in_loop { "for i in xs { " } else { "" });
    for level in 0..count {
        let said = if level % 2 == 0 { one } else { other };
        text.push_str(&said.replace('N', &level.to_string()));
    }
    text.push_str(if in_loop { "}" } else { "" });
}

/// Functions that call the next one several times.
fn functions(chance: &mut Chance, text: &mut String) {
    const CALLS: [&str; 6] = ["(c)", "([c])", "(#{ a: c })", "(|| c)", "(|| c.call())", "(c + c)"];
    let count = 2 + chance.below(200);
    let calls: Vec<&str> = (0..1 + chance.below(3)).map(|_| *chance.of(&CALLS)).collect();
    for level in 0..count {
        let all: Vec<String> = calls.iter().map(|call| format!("g{}{call}", level + 1)).collect();
        let body = match chance.below(3) {
            0 => all.join(" + "),
            1 => format!("[{}]", all.join(", ")),
            _ => format!("#{{ a: {} }}", all.join(", b: g0(1), c: ")),
        };
        text.push_str(&format!("fn g{level}(c) {{ {body} }}\n"));
    }
    text.push_str(&format!("fn g{count}(c) {{ c }}\ny = g0(y);\n"));
}
