//! Presto's constructs as those that the compiler knows.

use std::ops::ControlFlow;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    CaseWhen, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, ObjectName, OrderByKind, Query, Value, VisitMut as _, VisitorMut,
};

/// Rewrites a query in place.
pub(super) fn rewrite(query: &mut Query) {
    let _ = query.visit(&mut Rewriter);
}

/// Puts a database before every bare name of a relation; those in `own` are `WITH` queries.
pub(super) fn qualify(query: &mut Query, database: &str, own: Vec<String>) {
    let _ = query.visit(&mut Qualifier { database: database.to_owned(), own });
}

struct Qualifier {
    database: String,
    own: Vec<String>,
}

impl VisitorMut for Qualifier {
    type Break = ();

    fn post_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        let only = match &name.0[..] {
            [only] => only.as_ident().cloned(),
            _ => None,
        };
        if let Some(only) = only
            && !self.own.contains(&only.value.to_lowercase())
        {
            *name = ObjectName::from(vec![Ident::with_quote('"', self.database.clone()), only]);
        }
        ControlFlow::Continue(())
    }
}

struct Rewriter;

impl VisitorMut for Rewriter {
    type Break = ();

    /// NULLs are last in either direction.
    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            for key in keys {
                key.options.nulls_first.get_or_insert(false);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expression
            && let Some(other) = replaced(function)
        {
            *expression = other;
        }
        ControlFlow::Continue(())
    }
}

/// A call that stands for something else.
fn replaced(function: &mut Function) -> Option<Expr> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    let other = match name.as_str() {
        "approx_distinct" => {
            if let FunctionArguments::List(list) = &mut function.args {
                list.args.truncate(1);
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            "count"
        }
        "arbitrary" => "any_value",
        "every" => "bool_and",
        "if" => return choice(&arguments(function)?),
        "count_if" => {
            let condition = arguments(function)?.first()?.clone();
            let one = choice(&[condition, number("1"), number("0")])?;
            if let FunctionArguments::List(list) = &mut function.args {
                list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(one))];
            }
            "sum"
        }
        _ => return None,
    };
    function.name = ObjectName::from(vec![Ident::new(other)]);
    Some(Expr::Function(function.clone()))
}

fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
            _ => None,
        })
        .collect()
}

/// IF as a CASE.
fn choice(arguments: &[Expr]) -> Option<Expr> {
    let (condition, result, otherwise) = match arguments {
        [condition, result] => (condition, result, None),
        [condition, result, otherwise] => (condition, result, Some(otherwise)),
        _ => return None,
    };
    Some(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: result.clone() }],
        else_result: otherwise.map(|otherwise| Box::new(otherwise.clone())),
    })
}

fn number(text: &str) -> Expr {
    Expr::Value(Value::Number(text.to_owned(), false).into())
}
