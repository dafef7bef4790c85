//! Scripts that are made up: they parse most of the time and mean nothing.

use piton_core::ports::ProgramFile;

use crate::chance::Chance;

const NAMES: [&str; 10] = ["a", "b", "xs", "name", "domain", "found", "input", "status", "id", "f"];
const TEXTS: [&str; 12] = [
    "",
    "name",
    "a.b.c",
    "0",
    "AVAILABLE",
    "AVAILBLE",
    "ResourceNotFoundException",
    "dzd_1",
    "5s",
    "status",
    "x y",
    "admin",
];
const MEMBERS: [&str; 12] = [
    "name",
    "status",
    "items",
    "id",
    "domainIdentifier",
    "identifier",
    "Clusters",
    "code",
    "a",
    "b",
    "Tags",
    "Role",
];
const OPERATIONS: [&str; 14] = [
    "datazone.get_domain",
    "datazone.list_domains_all",
    "datazone.create_project",
    "datazone.search_listings",
    "iam.get_role",
    "iam.list_users_all",
    "iam.simulate_principal_policy",
    "redshift.describe_clusters",
    "redshift.register_namespace",
    "sts.get_caller_identity",
    "glue.create_table",
    "athena.delete_named_query",
    "nothing.at_all",
    "iam.list_usrs",
];
const METHODS: [&str; 26] = [
    "map",
    "filter",
    "find",
    "all",
    "some",
    "push",
    "pop",
    "len",
    "keys",
    "values",
    "get",
    "contains",
    "sort",
    "reduce",
    "for_each",
    "retain",
    "call",
    "to_string",
    "split",
    "insert",
    "remove",
    "call",
    "identity",
    "assume",
    "service",
    "is_empty",
];
const OPTIONS: [&str; 16] = [
    "path",
    "ok",
    "fail",
    "gone",
    "every",
    "give_up",
    "on",
    "show",
    "from",
    "expires",
    "on_expire",
    "form",
    "settled_by",
    "sql",
    "target",
    "max",
];

/// A program of a script and sometimes a module.
pub(crate) fn program(chance: &mut Chance) -> Vec<ProgramFile> {
    let mut maker = Maker { chance, text: String::new(), left: 0 };
    let mut files = vec![maker.script(true)];
    if maker.chance.once_in(3) {
        files.push(maker.script(false));
    }
    files
}

struct Maker<'c> {
    chance: &'c mut Chance,
    text: String,
    /// Expressions that may still be made.
    left: usize,
}

impl Maker<'_> {
    fn script(&mut self, is_main: bool) -> ProgramFile {
        self.text.clear();
        self.left = 20 + self.chance.below(400);
        if is_main {
            self.push("runbook(#{ title: \"T\", accounts: #{ admin: #{}, many: #{ many: true } }, params: #{ mode: #{ type: \"enum\", choices: [\"fast\", \"slow\"] }, n: #{ type: \"int\", preset: 1 } } });\n");
            if self.chance.once_in(2) {
                self.push("import \"./m\" as m;\n");
            }
        } else if self.chance.once_in(2) {
            self.push("import \"./m\" as m;\n");
        }
        for index in 0..self.chance.below(6) {
            let count = self.chance.below(4);
            let params: Vec<&str> = NAMES.into_iter().take(count).collect();
            let name = if self.chance.once_in(8) { "keys".to_owned() } else { format!("f{index}") };
            self.push(&format!("fn {name}({}) {{ ", params.join(", ")));
            self.definitions(count);
            self.block(4);
            self.push(" }\n");
        }
        self.definitions(0);
        while self.left > 0 {
            self.statement(4);
            self.push("\n");
        }
        let path = if is_main { "t.rhai" } else { "m.rhai" };
        ProgramFile { path: path.to_owned(), text: std::mem::take(&mut self.text) }
    }

    /// Variables of all names but the first: a script with an undefined one does not load.
    fn definitions(&mut self, from: usize) {
        const VALUES: [&str; 6] =
            ["1", "\"x\"", "[1, \"a\"]", "#{ a: 1, name: \"x\" }", "aws(\"admin\")", "|x| x"];
        for name in NAMES.into_iter().skip(from) {
            let value = *self.chance.of(&VALUES);
            self.push(&format!("let {name} = {value}; "));
        }
        self.push("\n");
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn name(&mut self) {
        let name = *self.chance.of(&NAMES);
        self.push(name);
    }

    fn block(&mut self, depth: usize) {
        self.push("{ ");
        for _ in 0..1 + self.chance.below(3) {
            self.statement(depth);
        }
        if self.chance.once_in(2) {
            self.expression(depth);
        }
        self.push(" }");
    }

    fn statement(&mut self, depth: usize) {
        self.left = self.left.saturating_sub(1);
        let deeper = depth.saturating_sub(1);
        let kind = if depth == 0 { self.chance.below(4) } else { self.chance.below(12) };
        match kind {
            0 | 1 => {
                self.push("let ");
                self.name();
                self.push(" = ");
                self.expression(depth);
                self.push("; ");
            }
            2 => {
                self.target();
                let operator = *self.chance.of(&[" = ", " += ", " -= ", " = "]);
                self.push(operator);
                self.expression(depth);
                self.push("; ");
            }
            3 => {
                self.expression(depth);
                self.push("; ");
            }
            4 | 5 => {
                self.push("if ");
                self.condition(deeper);
                self.block(deeper);
                if self.chance.once_in(2) {
                    self.push(" else ");
                    self.block(deeper);
                }
            }
            6..=10 => self.long_statement(kind, deeper),
            _ => {
                let word = *self.chance.of(&[
                    "{ import \"./m\" as n; n::f1(1); } ",
                    "loop { break; } ",
                    "; ",
                ]);
                self.push(word);
            }
        }
    }

    fn long_statement(&mut self, kind: usize, deeper: usize) {
        match kind {
            6 => {
                self.push("for ");
                self.name();
                self.push(" in ");
                self.expression(deeper);
                self.block(deeper);
            }
            7 => {
                self.push("while ");
                self.condition(deeper);
                self.block(deeper);
            }
            8 => {
                self.push("try ");
                self.block(deeper);
                self.push(" catch (e) ");
                self.block(deeper);
            }
            9 => {
                self.push("switch ");
                self.expression(deeper);
                self.push(" { \"a\" => ");
                self.expression(deeper);
                self.push(", _ => ");
                self.expression(deeper);
                self.push(" } ");
            }
            _ => {
                let word = *self.chance.of(&["return ", "throw "]);
                self.push(word);
                self.expression(deeper);
                self.push("; ");
            }
        }
    }

    /// Something that may be a boolean: Rhai refuses literals of other types.
    fn condition(&mut self, depth: usize) {
        match self.chance.below(6) {
            0 => self.name(),
            1 => self.push("true"),
            2 if depth > 0 => {
                let operator = *self.chance.of(&["&&", "||"]);
                self.push("(");
                self.condition(depth - 1);
                self.push(&format!(" {operator} "));
                self.condition(depth - 1);
                self.push(")");
            }
            3 if depth > 0 => {
                self.push("!");
                self.condition(depth - 1);
            }
            _ => {
                let operator = *self.chance.of(&["==", "!=", "in"]);
                self.push("(");
                self.expression(depth);
                self.push(&format!(" {operator} "));
                self.expression(depth);
                self.push(")");
            }
        }
    }

    /// What is assigned to.
    fn target(&mut self) {
        self.name();
        for _ in 0..self.chance.below(3) {
            if self.chance.once_in(3) {
                self.push("[");
                self.expression(0);
                self.push("]");
            } else {
                let member = *self.chance.of(&MEMBERS);
                self.push(&format!(".{member}"));
            }
        }
    }

    fn list(&mut self, count: usize, depth: usize) {
        for index in 0..count {
            if index > 0 {
                self.push(", ");
            }
            self.expression(depth);
        }
    }

    fn map(&mut self, names: &[&str], depth: usize) {
        self.push("#{ ");
        let start = self.chance.below(names.len());
        for index in 0..self.chance.below(4) {
            let name = names[(start + index) % names.len()];
            self.push(&format!("{name}: "));
            self.expression(depth);
            self.push(", ");
        }
        self.push("}");
    }

    fn expression(&mut self, depth: usize) {
        self.left = self.left.saturating_sub(1);
        if depth == 0 || self.left == 0 {
            return self.plain();
        }
        let deeper = depth - 1;
        match self.chance.below(14) {
            0 | 1 => self.plain(),
            2 => {
                let operator = *self.chance.of(&["+", "==", "!=", "??", "-", "<", "in"]);
                self.push("(");
                self.expression(deeper);
                self.push(&format!(" {operator} "));
                self.expression(deeper);
                self.push(")");
            }
            3 => {
                self.push("[");
                let count = self.chance.below(4);
                self.list(count, deeper);
                self.push("]");
            }
            4 => self.map(&MEMBERS, deeper),
            5 => {
                let params = *self.chance.of(&["||", "|x|", "|a, b|"]);
                self.push(params);
                self.push(" ");
                self.block(deeper);
            }
            kind @ 6..=11 => self.reach(kind, deeper),
            12 => {
                self.push("if ");
                self.condition(deeper);
                self.block(deeper);
                self.push(" else ");
                self.block(deeper);
            }
            _ => {
                self.push("`x ${");
                self.expression(deeper);
                self.push("} y`");
            }
        }
    }

    /// A call, a member or an operation.
    fn reach(&mut self, kind: usize, deeper: usize) {
        match kind {
            6 | 7 => {
                self.receiver(deeper);
                let method = *self.chance.of(&METHODS);
                self.push(&format!(".{method}("));
                let count = self.chance.below(3);
                self.list(count, deeper);
                self.push(")");
            }
            8 => {
                self.receiver(deeper);
                let member = *self.chance.of(&MEMBERS);
                let dot = *self.chance.of(&[".", "?.", "."]);
                self.push(&format!("{dot}{member}"));
            }
            9 => {
                let account = *self.chance.of(&[
                    "aws(\"admin\")",
                    "aws(\"many\", \"1\")",
                    "aws(\"non\")",
                    "a",
                ]);
                let operation = *self.chance.of(&OPERATIONS);
                self.push(&format!("{account}.{operation}("));
                self.map(&MEMBERS, deeper);
                self.push(")");
            }
            10 => self.prelude(deeper),
            _ => {
                let index = self.chance.below(6);
                let module = if self.chance.once_in(4) { "m::" } else { "" };
                self.push(&format!("{module}f{index}("));
                let count = self.chance.below(4);
                self.list(count, deeper);
                self.push(")");
            }
        }
    }

    fn receiver(&mut self, depth: usize) {
        if self.chance.once_in(3) {
            self.push("(");
            self.expression(depth);
            self.push(")");
        } else {
            self.name();
        }
    }

    fn prelude(&mut self, depth: usize) {
        let call = *self.chance.of(&[
            "wait_until",
            "retry",
            "approve",
            "step",
            "query",
            "undo",
            "note",
            "output",
            "ensure",
            "parallel",
            "parallel_map",
            "manual",
            "parse_json",
            "fail",
        ]);
        self.push(call);
        self.push("(");
        match call {
            "wait_until" | "retry" => {
                self.push("\"w\", || ");
                self.expression(depth);
                self.push(", ");
                self.map(&OPTIONS, depth);
            }
            "approve" | "manual" => {
                self.push("\"g\", ");
                self.map(&OPTIONS, depth);
            }
            "query" => {
                self.push("aws(\"admin\"), ");
                self.map(&OPTIONS, depth);
            }
            "step" => {
                self.push("\"s\", || ");
                self.expression(depth);
            }
            _ => {
                let count = self.chance.below(3);
                self.list(count, depth);
            }
        }
        self.push(")");
    }

    fn plain(&mut self) {
        match self.chance.below(8) {
            0 => {
                let text = *self.chance.of(&TEXTS);
                self.push(&format!("\"{text}\""));
            }
            1 => {
                let number =
                    *self.chance.of(&["0", "1", "-1", "9223372036854775807", "0.5", "1e300"]);
                self.push(number);
            }
            2 => {
                let word = *self.chance.of(&[
                    "true",
                    "false",
                    "()",
                    "params.mode",
                    "params.n",
                    "params.x",
                    "params",
                ]);
                self.push(word);
            }
            _ => self.name(),
        }
    }
}
