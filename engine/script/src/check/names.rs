//! Names: variables that nothing uses, functions that hide others, and captures that do not do what
//! they look like.

use std::collections::BTreeSet;

use piton_core::diagnostic::{Code, Diagnostic};
use rhai::{ASTFlags, BinaryExpr, Expr, FlowControl, FnCallExpr, Ident, Position, Stmt};

use super::tree::{Link, Tree, chain, root_variable};
use crate::prelude::USAGE;
use crate::rules::{Node, walk_statement};

/// Methods that put a value into what they are called on.
const KEEPING: [&str; 5] = ["push", "insert", "append", "set", "unshift"];

/// Methods that change what they are called on, and are called for that alone.
const CHANGING: [&str; 14] = [
    "append",
    "clear",
    "crop",
    "drain",
    "fill_with",
    "insert",
    "mixin",
    "pad",
    "push",
    "remove",
    "retain",
    "set",
    "splice",
    "truncate",
];

/// A variable in reach.
struct Variable {
    name: String,
    /// Where it is defined; nothing for those that nobody has to use.
    defined: Option<Position>,
    is_loop: bool,
    /// The loop variable that the closure in it captured.
    captured_loop: Option<(String, Position)>,
    is_used: bool,
}

struct Names<'t> {
    tree: &'t Tree<'t>,
    file: usize,
    variables: Vec<Variable>,
    /// Where the innermost closure's own variables begin.
    own: usize,
    problems: Vec<(Position, Diagnostic)>,
    /// Constants that are read as `global::NAME`.
    global: Vec<String>,
}

/// Every mistake of a file's names.
pub(super) fn check(tree: &Tree<'_>, file: usize) -> Vec<(Position, Diagnostic)> {
    let mut global = Vec::new();
    tree.visit(file, &mut |node| {
        if let Node::Expression(Expr::Variable(variable, ..)) = node
            && !variable.2.is_empty()
        {
            global.push(variable.1.to_string());
        }
    });
    let mut names =
        Names { tree, file, variables: Vec::new(), own: 0, problems: Vec::new(), global };
    names.block(tree.files[file].statements);
    for function in tree.functions.iter().filter(|function| function.file == file) {
        if !function.is_closure() {
            names.function(&function.params, &function.body);
        }
    }
    names.shadows();
    names.problems
}

impl<'t> Names<'t> {
    fn function(&mut self, params: &[String], body: &'t [Stmt]) {
        for name in params {
            self.define(name, None);
        }
        self.block(body);
        self.variables.clear();
    }

    fn define(&mut self, name: &str, defined: Option<Position>) {
        let defined = defined.filter(|_| !name.starts_with('_'));
        self.variables.push(Variable {
            name: name.to_owned(),
            defined,
            is_loop: false,
            captured_loop: None,
            is_used: false,
        });
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        self.variables.iter().rposition(|variable| variable.name == name)
    }

    /// A variable is read.
    fn read(&mut self, name: &str, position: Position) {
        let Some(index) = self.find(name) else { return };
        self.variables[index].is_used = true;
        if index < self.own && !self.tree.files[self.file].arities(name).is_empty() {
            let message =
                format!("`{name}` means the function `{name}` in this closure, not the variable");
            let diagnostic = Diagnostic::error(Code::Capture, message)
                .hint("a closure cannot capture a variable that has the name of a function: give one of them another name");
            self.problems.push((position, diagnostic));
        }
    }

    fn forget(&mut self, count: usize) {
        for variable in self.variables.drain(count..) {
            if let Some(position) = variable.defined.filter(|_| !variable.is_used) {
                let message = format!("nothing uses the variable `{}`", variable.name);
                let hint = format!("remove it, or name it `_{}`", variable.name);
                let diagnostic = Diagnostic::warning(Code::Unused, message).hint(hint);
                self.problems.push((position, diagnostic));
            }
        }
    }

    // --- statements -------------------------------------------------------------------------------

    fn block(&mut self, statements: &'t [Stmt]) {
        let count = self.variables.len();
        for statement in statements {
            self.statement(statement);
        }
        self.forget(count);
    }

    fn statement(&mut self, statement: &'t Stmt) {
        match statement {
            Stmt::Var(variable, flags, _) => {
                self.expression(&variable.1, false);
                let name = &variable.0;
                let is_exported = flags.contains(ASTFlags::EXPORTED)
                    || self.global.iter().any(|global| *global == name.name.as_str());
                self.define(&name.name, (!is_exported).then_some(name.pos));
                let captured = self.captured_loop(&variable.1);
                if let Some(variable) = self.variables.last_mut() {
                    variable.captured_loop = captured;
                }
            }
            Stmt::Assignment(assignment) => {
                let pair = &assignment.1;
                let is_own = matches!(&pair.lhs, Expr::Variable(..));
                if !is_own || assignment.0.is_op_assignment() {
                    self.expression(&pair.lhs, false);
                }
                self.expression(&pair.rhs, true);
            }
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::Expr(expression) => self.expression(expression, false),
            Stmt::If(control, _) | Stmt::While(control, _) | Stmt::Do(control, ..) => {
                self.flow(control);
            }
            Stmt::Switch(switch, _) => {
                self.expression(&switch.0, false);
                for case in &switch.1.expressions {
                    self.pair(case);
                }
            }
            Stmt::For(parts, _) => {
                self.expression(&parts.2.expr, false);
                let count = self.variables.len();
                for name in std::iter::once(&parts.0).chain(&parts.1) {
                    self.define(&name.name, None);
                    if let Some(variable) = self.variables.last_mut() {
                        variable.is_loop = true;
                    }
                }
                self.block(parts.2.body.statements());
                self.forget(count);
            }
            Stmt::TryCatch(control, _) => {
                self.block(control.body.statements());
                let count = self.variables.len();
                if let Expr::Variable(variable, ..) = &control.expr {
                    self.define(&variable.1, None);
                }
                self.block(control.branch.statements());
                self.forget(count);
            }
            Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
                self.expression(value, false);
            }
            Stmt::Import(import, _) => self.expression(&import.0, false),
            Stmt::Export(names, position) => self.read(&names.0.name, *position),
            _ => {}
        }
    }

    fn flow(&mut self, control: &'t FlowControl) {
        self.expression(&control.expr, false);
        self.block(control.body.statements());
        self.block(control.branch.statements());
    }

    fn pair(&mut self, pair: &'t BinaryExpr) {
        self.expression(&pair.lhs, false);
        self.expression(&pair.rhs, false);
    }

    // --- expressions ------------------------------------------------------------------------------

    /// An expression; `is_kept` says that its value outlives the round of a loop.
    fn expression(&mut self, expression: &'t Expr, is_kept: bool) {
        let tree = self.tree;
        if let Some((function, captured)) = tree.closure(expression) {
            self.closure(function, &captured, is_kept);
            return;
        }
        match expression {
            Expr::Variable(variable, _, position) if variable.2.is_empty() => {
                self.read(&variable.1, *position);
                let kept = self
                    .find(&variable.1)
                    .and_then(|index| self.variables[index].captured_loop.clone());
                if let Some((name, position)) = kept.filter(|_| is_kept) {
                    self.problems.push((position, loop_capture(&name)));
                }
            }
            Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, false));
            }
            Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, is_kept));
            }
            Expr::Map(members, _) => {
                members.0.iter().for_each(|(_, member)| self.expression(member, is_kept));
            }
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, _) => self.call(call),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part, is_kept));
            }
            Expr::Custom(custom, _) => {
                custom.inputs.iter().for_each(|input| self.expression(input, false));
            }
            _ => {}
        }
    }

    fn call(&mut self, call: &'t FnCallExpr) {
        let is_parallel = call.name == "parallel" || call.name == "parallel_map";
        for argument in &call.args {
            self.expression(argument, false);
            if is_parallel && !call.is_qualified() {
                self.assigned_in_branches(argument);
            }
        }
    }

    fn chain(&mut self, expression: &'t Expr) {
        let root = root_variable(expression);
        let (base, links) = chain(expression);
        self.expression(base, false);
        for link in links {
            match link {
                Link::Property(..) => {}
                Link::Index(index) => self.expression(index, false),
                Link::Method(call, _) => {
                    let keeps = KEEPING.contains(&call.name.as_str());
                    for argument in &call.args {
                        self.expression(argument, keeps);
                        self.captures_receiver(root, argument);
                    }
                }
            }
        }
    }

    fn closure(&mut self, function: usize, captured: &[&'t Ident], is_kept: bool) {
        for name in captured {
            let Some(index) = self.find(&name.name) else { continue };
            self.variables[index].is_used = true;
            if is_kept && self.variables[index].is_loop {
                self.problems.push((name.pos, loop_capture(&name.name)));
            }
        }
        let definition = &self.tree.functions[function];
        let count = self.variables.len();
        let own = std::mem::replace(&mut self.own, count);
        for name in &definition.params {
            self.define(name, None);
        }
        self.block(&definition.body);
        self.forget(count);
        self.own = own;
    }

    /// The loop variable that a closure captures.
    fn captured_loop(&mut self, expression: &'t Expr) -> Option<(String, Position)> {
        let tree = self.tree;
        let (_, captured) = tree.closure(expression)?;
        let name = captured.into_iter().find(|name| {
            self.variables
                .iter()
                .rev()
                .find(|variable| variable.name == name.name.as_str())
                .is_some_and(|variable| variable.is_loop)
        })?;
        Some((name.name.to_string(), name.pos))
    }

    /// `xs.map(|x| xs.len())`: the method holds what the closure wants to look at.
    fn captures_receiver(&mut self, root: Option<&str>, argument: &'t Expr) {
        let tree = self.tree;
        let (Some(root), Some((_, captured))) = (root, tree.closure(argument)) else { return };
        if let Some(name) = captured.into_iter().find(|name| name.name == root) {
            let message = format!("the closure captures `{root}`, on which the method is called");
            let diagnostic = Diagnostic::error(Code::Capture, message).hint(format!(
                "the language ends that with a data race: copy it first, let copy = {root};"
            ));
            self.problems.push((name.pos, diagnostic));
        }
    }

    /// Branches get copies of what they capture: what they change is lost.
    fn assigned_in_branches(&mut self, argument: &'t Expr) {
        let tree = self.tree;
        let mut closures = Vec::new();
        match argument {
            Expr::Array(items, _) => {
                closures.extend(items.iter().filter_map(|item| tree.closure(item)));
            }
            Expr::Map(map, _) => {
                closures.extend(map.0.iter().filter_map(|(_, item)| tree.closure(item)));
            }
            other => closures.extend(tree.closure(other)),
        }
        for (function, captured) in closures {
            let captured = captured.iter().map(|name| name.name.as_str()).collect();
            self.lost_in(function, &captured);
        }
    }

    /// Changes of captured variables in a closure, and in the closures inside it.
    fn lost_in(&mut self, function: usize, captured: &BTreeSet<&str>) {
        if captured.is_empty() {
            return;
        }
        let tree = self.tree;
        let mut inner = Vec::new();
        for statement in &tree.functions[function].body {
            walk_statement(statement, &mut |node| {
                if let Node::Expression(expression) = node
                    && let Some((function, names)) = tree.closure(expression)
                {
                    let names: BTreeSet<String> =
                        names.iter().map(|name| name.name.to_string()).collect();
                    inner.push((function, names));
                }
                let Some((root, position)) = changed_variable(node) else { return };
                if captured.contains(root) {
                    let message =
                        format!("a branch has its own copy of `{root}`: the change is lost");
                    let diagnostic = Diagnostic::error(Code::Capture, message)
                        .hint("return what the branch has made");
                    self.problems.push((position, diagnostic));
                }
            });
        }
        for (function, names) in inner {
            let both = captured.iter().copied().filter(|name| names.contains(*name)).collect();
            self.lost_in(function, &both);
        }
    }

    // --- functions --------------------------------------------------------------------------------

    /// Functions that hide others.
    fn shadows(&mut self) {
        let tree = self.tree;
        for ((name, count), index) in &tree.files[self.file].functions {
            let function = &tree.functions[*index];
            if let Some((_, usage)) = USAGE.iter().find(|(known, _)| known == name) {
                let message =
                    format!("the function `{name}` hides the one of the language: {usage}");
                let diagnostic = Diagnostic::warning(Code::Shadowed, message);
                self.problems.push((function.start, diagnostic.hint("give it another name")));
                continue;
            }
            if super::natives::is_known(name) && !uses_this(&function.body) {
                self.hijacked(name, *count);
            }
        }
    }

    /// Rhai calls a script's function for a method of its name with as many arguments.
    fn hijacked(&mut self, name: &str, count: usize) {
        let mut places = Vec::new();
        self.tree.visit(self.file, &mut |node| {
            if let Node::Expression(Expr::MethodCall(call, position)) = node
                && call.name == name
                && call.args.len() == count
            {
                places.push(*position);
            }
        });
        for position in places {
            let message = format!("`.{name}` calls this file's function `{name}`, not the method");
            let diagnostic =
                Diagnostic::error(Code::Shadowed, message).hint("give the function another name");
            self.problems.push((position, diagnostic));
        }
    }
}

/// The variable that a statement or a method changes, and where.
fn changed_variable(node: Node<'_>) -> Option<(&str, Position)> {
    match node {
        Node::Statement(Stmt::Assignment(assignment)) => {
            let changed = &assignment.1.lhs;
            Some((root_variable(changed)?, changed.start_position()))
        }
        Node::Expression(expression @ (Expr::Dot(..) | Expr::Index(..))) => {
            let is_method = |link: &Link<'_>| matches!(link, Link::Method(..));
            let first = chain(expression).1.into_iter().find(is_method);
            let Some(Link::Method(call, position)) = first else { return None };
            let is_change = CHANGING.contains(&call.name.as_str());
            is_change.then(|| Some((root_variable(expression)?, position))).flatten()
        }
        _ => None,
    }
}

fn loop_capture(name: &str) -> Diagnostic {
    Diagnostic::error(
        Code::Capture,
        format!("the closure is kept and captures the loop variable `{name}`: it will see its last value"),
    )
    .hint(format!("copy it in the loop, let own = {name}; or make the closures with list.map(|{name}| || ...)"))
}

fn uses_this(body: &[Stmt]) -> bool {
    let mut found = false;
    for statement in body {
        walk_statement(statement, &mut |node| {
            found |= matches!(node, Node::Expression(Expr::ThisPtr(_)));
        });
    }
    found
}
