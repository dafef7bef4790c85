//! What a program's text tells before anything runs: its imports, its method names, and a few
//! mistakes that Rhai would only show late or not at all.

use std::collections::{BTreeMap, BTreeSet};

use piton_core::diagnostic::{Code, Diagnostic};
use rhai::{AST, ASTFlags, ASTNode, BinaryExpr, Expr, FlowControl, FnPtr, Position, Stmt};

use crate::prelude::DURABLE;
use crate::source::Source;

/// What a file's text tells.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Import paths with their positions.
    pub(crate) imports: Vec<(String, Position)>,
    /// Imports whose path is computed.
    pub(crate) computed_imports: Vec<Position>,
    /// Runbooks that are called, with their positions.
    pub(crate) called: Vec<(String, Position)>,
    /// Calls of runbooks that are not written out.
    pub(crate) computed_calls: Vec<Position>,
    /// Account aliases that are written out, with their positions.
    pub(crate) aliases: Vec<AliasUse>,
    /// Names that are called on something.
    pub(crate) methods: BTreeSet<String>,
    /// Texts in the file: a lone script names its assets by them.
    pub(crate) texts: BTreeSet<String>,
}

/// An account alias that a script writes out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AliasUse {
    /// The alias.
    pub(crate) alias: String,
    /// The call says which of several accounts is meant.
    pub(crate) of_account: bool,
    /// Where the alias is.
    pub(crate) position: Position,
}

/// A node of a syntax tree.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Statement(&'a Stmt),
    Expression(&'a Expr),
}

/// Reads a file.
pub(crate) fn survey(ast: &AST) -> Survey {
    let mut survey = Survey::default();
    let mut see = |node: Node<'_>| match node {
        Node::Statement(Stmt::FnCall(call, position))
        | Node::Expression(Expr::FnCall(call, position))
            if !call.is_qualified() && call.name == "call_runbook" =>
        {
            match call.args.first() {
                Some(Expr::StringConstant(runbook, position)) => {
                    survey.called.push((runbook.to_string(), *position));
                }
                _ => survey.computed_calls.push(*position),
            }
        }
        Node::Statement(Stmt::Import(import, _)) => match &import.0 {
            Expr::StringConstant(path, position) => {
                survey.imports.push((path.to_string(), *position));
            }
            computed => survey.computed_imports.push(computed.position()),
        },
        Node::Expression(Expr::MethodCall(call, _)) => {
            survey.methods.insert(call.name.to_string());
        }
        Node::Expression(Expr::StringConstant(text, _)) => {
            survey.texts.insert(text.to_string());
        }
        Node::Expression(Expr::FnCall(call, _)) if !call.is_qualified() && call.name == "aws" => {
            if let Some(Expr::StringConstant(alias, position)) = call.args.first() {
                survey.aliases.push(AliasUse {
                    alias: alias.to_string(),
                    of_account: call.args.len() > 1,
                    position: *position,
                });
            }
        }
        _ => {}
    };
    everything(ast, &mut |node, _| see(node));
    survey.imports.sort_by_key(|(_, position)| *position);
    survey.called.sort_by_key(|(_, position)| *position);
    survey.called.dedup();
    survey.computed_calls.sort();
    survey.computed_calls.dedup();
    survey.aliases.sort_by_key(|used| used.position);
    survey.aliases.dedup();
    survey
}

/// What a module must not do. A module is evaluated at its import, outside any step, once for all
/// that import it; and Rhai cannot call a closure outside the module that made it.
pub(crate) fn check_module(ast: &AST, source: &Source) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut report = |code, message: String, hint: &str, position| {
        problems.push(Diagnostic::error(code, message).hint(hint).at(source.place(position)));
    };
    let mut see = |node: Node<'_>| {
        if let Some((what, position)) = durable_call(node) {
            let message = format!("a module calls {what} while it is imported");
            report(Code::MisplacedCall, message, "put the call into a function", position);
        }
    };
    statements(ast.statements(), &mut see);
    let hint = "a closure works only inside its own module: take closures, return data";
    for (name, position) in exported_closures(ast) {
        report(
            Code::MisplacedCall,
            format!("the module exports the closure `{name}`"),
            hint,
            position,
        );
    }
    for (function, position) in returned_closures(ast) {
        let message = format!("the function `{function}` of a module returns a closure");
        report(Code::MisplacedCall, message, hint, position);
    }
    problems.dedup();
    problems
}

fn durable_call(node: Node<'_>) -> Option<(String, Position)> {
    match node {
        Node::Statement(Stmt::FnCall(call, position))
        | Node::Expression(Expr::FnCall(call, position))
            if !call.is_qualified() && DURABLE.contains(&call.name.as_str()) =>
        {
            Some((format!("`{}`", call.name), *position))
        }
        Node::Expression(Expr::Dot(chain, ..)) if is_aws(&chain.lhs) => {
            operation(&chain.rhs).map(|position| ("AWS".to_owned(), position))
        }
        _ => None,
    }
}

fn is_aws(expression: &Expr) -> bool {
    matches!(expression, Expr::FnCall(call, _) if !call.is_qualified() && call.name == "aws")
}

/// The method at the end of `.service.operation(...)`.
fn operation(chain: &Expr) -> Option<Position> {
    match chain {
        Expr::MethodCall(_, position) => Some(*position),
        Expr::Dot(chain, ..) => operation(&chain.rhs),
        _ => None,
    }
}

fn exported_closures(ast: &AST) -> Vec<(String, Position)> {
    let mut closures = BTreeSet::new();
    let mut exported = Vec::new();
    for statement in ast.statements() {
        match statement {
            Stmt::Var(variable, flags, position) if is_closure(&variable.1) => {
                let name = variable.0.name.to_string();
                if flags.contains(ASTFlags::EXPORTED) {
                    exported.push((name, *position));
                } else {
                    closures.insert(name);
                }
            }
            Stmt::Export(names, position) if closures.contains(names.0.name.as_str()) => {
                exported.push((names.0.name.to_string(), *position));
            }
            _ => {}
        }
    }
    exported
}

/// Closures that named functions return: their last expression, or the value of a `return`.
fn returned_closures(ast: &AST) -> BTreeSet<(String, Position)> {
    let mut tails: BTreeMap<Position, (String, Option<Position>)> = BTreeMap::new();
    let mut returned = BTreeSet::new();
    everything(ast, &mut |node, is_top| {
        let Node::Statement(statement) = node else { return };
        let Some((name, start)) = function_around(ast, statement.position()) else { return };
        if is_top {
            let closure = match statement {
                Stmt::Expr(last) if is_closure(last) => Some(last.position()),
                _ => None,
            };
            tails.insert(start, (name.clone(), closure));
        }
        if let Stmt::Return(Some(value), flags, position) = statement
            && !flags.contains(ASTFlags::BREAK)
            && is_closure(value)
        {
            returned.insert((name, *position));
        }
    });
    let tails = tails.into_values().filter_map(|(name, closure)| Some((name, closure?)));
    returned.extend(tails);
    returned
}

/// The named function that a position is in, with its beginning. Inside a closure there is none.
fn function_around(ast: &AST, position: Position) -> Option<(String, Position)> {
    let around = ast.iter_fn_def().filter(|function| {
        let (start, end) = (function.body.start_position(), function.body.end_position());
        // A body that is one expression has no end; nothing but itself is in it.
        position == start || (start < position && position <= end)
    });
    let innermost = around.max_by_key(|function| function.body.start_position())?;
    let named = !innermost.name.starts_with("anon$");
    named.then(|| (innermost.name.to_string(), innermost.body.start_position()))
}

/// A closure literal: a function pointer, or a block that shares what it captures and curries it.
fn is_closure(expression: &Expr) -> bool {
    match expression {
        Expr::DynamicConstant(value, _) => value.is::<FnPtr>(),
        Expr::FnCall(call, _) => call.name == "curry",
        Expr::Stmt(block) => match block.statements().last() {
            Some(Stmt::Expr(last)) => is_closure(last),
            Some(Stmt::FnCall(call, _)) => call.name == "curry",
            _ => false,
        },
        _ => false,
    }
}

/// Every node of a file, its functions and closures included, and whether it is a statement of a
/// body itself. Rhai's own walk leaves out what `break` gives.
fn everything(ast: &AST, see: &mut dyn FnMut(Node<'_>, bool)) {
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        match path.last() {
            Some(ASTNode::Stmt(statement)) => {
                see(Node::Statement(statement), path.len() == 1);
                if let Stmt::BreakLoop(Some(value), ..) = statement {
                    walk_expression(value, &mut |node| see(node, false));
                }
            }
            Some(ASTNode::Expr(expression)) => see(Node::Expression(expression), false),
            _ => {}
        }
        true
    });
}

fn statements(list: &[Stmt], see: &mut dyn FnMut(Node<'_>)) {
    for statement in list {
        walk_statement(statement, see);
    }
}

fn flow(control: &FlowControl, see: &mut dyn FnMut(Node<'_>)) {
    walk_expression(&control.expr, see);
    statements(control.body.statements(), see);
    statements(control.branch.statements(), see);
}

fn pair(pair: &BinaryExpr, see: &mut dyn FnMut(Node<'_>)) {
    walk_expression(&pair.lhs, see);
    walk_expression(&pair.rhs, see);
}

/// Every statement and expression below a statement, closures left out.
pub(crate) fn walk_statement(statement: &Stmt, see: &mut dyn FnMut(Node<'_>)) {
    see(Node::Statement(statement));
    match statement {
        Stmt::If(control, _)
        | Stmt::While(control, _)
        | Stmt::Do(control, ..)
        | Stmt::TryCatch(control, _) => flow(control, see),
        Stmt::For(control, _) => flow(&control.2, see),
        Stmt::Switch(switch, _) => {
            walk_expression(&switch.0, see);
            for case in &switch.1.expressions {
                pair(case, see);
            }
        }
        Stmt::Var(variable, ..) => walk_expression(&variable.1, see),
        Stmt::Assignment(assignment) => pair(&assignment.1, see),
        Stmt::FnCall(call, _) => {
            call.args.iter().for_each(|argument| walk_expression(argument, see));
        }
        Stmt::Block(block) => statements(block.statements(), see),
        Stmt::Expr(expression) => walk_expression(expression, see),
        Stmt::BreakLoop(Some(value), ..) | Stmt::Return(Some(value), ..) => {
            walk_expression(value, see);
        }
        Stmt::Import(import, _) => walk_expression(&import.0, see),
        _ => {}
    }
}

/// Every statement and expression of an expression, closures left out.
pub(crate) fn walk_expression(expression: &Expr, see: &mut dyn FnMut(Node<'_>)) {
    see(Node::Expression(expression));
    match expression {
        Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
            parts.iter().for_each(|part| walk_expression(part, see));
        }
        Expr::Map(members, _) => {
            members.0.iter().for_each(|(_, member)| walk_expression(member, see));
        }
        Expr::MethodCall(call, _) | Expr::FnCall(call, _) => {
            call.args.iter().for_each(|argument| walk_expression(argument, see));
        }
        Expr::Stmt(block) => statements(block.statements(), see),
        Expr::Dot(chain, ..) | Expr::Index(chain, ..) => pair(chain, see),
        Expr::And(operands, _) | Expr::Or(operands, _) | Expr::Coalesce(operands, _) => {
            operands.iter().for_each(|operand| walk_expression(operand, see));
        }
        Expr::Custom(custom, _) => {
            custom.inputs.iter().for_each(|input| walk_expression(input, see));
        }
        _ => {}
    }
}
