//! Follows values through a program: what each variable, argument and answer can be, and what does
//! not fit where it is used.
//!
//! Every function is followed with the values of each call, and once with nothing known. What one
//! caller gives and another does not is no mistake of the function: a member that is read is
//! reported only when no call has it. What is not known is not checked.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use piton_core::diagnostic::{Code, Diagnostic, Frame};
use rhai::{Expr, FlowControl, Position, Stmt};

use super::caught;
use super::tree::{Tree, variables};
use super::ty::{Closure, Field, Record, Spot, Ty};
use super::watch::Watch;

/// Calls inside calls that are followed.
const DEEPEST: usize = 40;
/// Calls of one function with different values that are followed.
const MOST_CALLS: usize = 48;
/// Expressions that are followed in all: enough for any program that people write.
const MOST_STEPS: usize = 2_000_000;
/// How often a loop is gone through until its variables settle.
const MOST_ROUNDS: usize = 4;
/// Loops inside loops that are gone through like that.
const DEEPEST_LOOPS: usize = 3;
/// Places with problems after which no more is followed.
const MOST_PROBLEMS: usize = 500;

/// What was seen.
#[derive(Debug, Clone)]
pub(super) enum Finding {
    Problem {
        spot: Spot,
        diagnostic: Diagnostic,
        /// Another call that reads the same without trouble takes it back.
        excusable: Option<Spot>,
    },
    /// A read that found its member.
    Good(Spot),
    /// A read of a map that has members by names that are not known.
    Possible(Spot),
}

/// What was seen in a call: here, and in the calls inside it. Calls of the same values share theirs.
#[derive(Default)]
pub(super) struct Findings {
    own: Vec<Finding>,
    inner: Vec<Rc<Self>>,
}

impl Findings {
    /// Every finding, each call's once.
    pub(super) fn all(self: &Rc<Self>) -> Vec<Finding> {
        let mut seen = BTreeSet::new();
        let mut open = vec![Rc::clone(self)];
        let mut all = Vec::new();
        while let Some(findings) = open.pop() {
            if seen.insert(Rc::as_ptr(&findings) as usize) {
                all.extend(findings.own.iter().cloned());
                open.extend(findings.inner.iter().cloned());
            }
        }
        all
    }
}

/// One call of a function that was followed.
struct Followed {
    arguments: Vec<Ty>,
    answer: Ty,
    findings: Rc<Findings>,
}

/// A call that is being followed.
struct Activation {
    id: usize,
    file: usize,
    variables: Vec<(String, Ty)>,
    answers: Ty,
    /// Where the call stands, with the function's name.
    called: Option<(Spot, String)>,
    /// Variables that conditions around the present place tell apart.
    tested: Vec<String>,
    /// Loops around the present place.
    loops: usize,
    /// What is here is not reached.
    dead: bool,
}

/// The state of variables at a place.
struct Snapshot {
    variables: Vec<(String, Ty)>,
    dead: bool,
}

pub(super) struct Inference<'p> {
    pub(super) tree: &'p Tree<'p>,
    activations: Vec<Activation>,
    next_activation: usize,
    followed: BTreeMap<usize, Vec<Followed>>,
    running: Vec<usize>,
    findings: Findings,
    /// Closures that were made, and those that were followed.
    made: BTreeMap<usize, Rc<Closure>>,
    closures_followed: BTreeSet<usize>,
    steps: usize,
    /// Places of problems, those included that another call excuses.
    problems: BTreeSet<Spot>,
    /// What `catch` gets.
    caught: Ty,
    /// Parameters of the runbook that are read; nothing means that all may be.
    pub(super) params_read: Option<BTreeSet<String>>,
    /// The place that an editor asks about.
    pub(super) watched: Option<Watch>,
}

impl<'p> Inference<'p> {
    pub(super) fn new(tree: &'p Tree<'p>) -> Self {
        Self {
            tree,
            activations: Vec::new(),
            next_activation: 0,
            followed: BTreeMap::new(),
            running: Vec::new(),
            findings: Findings::default(),
            made: BTreeMap::new(),
            closures_followed: BTreeSet::new(),
            steps: 0,
            problems: BTreeSet::new(),
            caught: caught::caught(tree),
            params_read: Some(BTreeSet::new()),
            watched: None,
        }
    }

    /// Follows the whole program.
    pub(super) fn run(&mut self) -> Vec<Finding> {
        for file in 0..self.tree.files.len() {
            self.enter(file, Vec::new(), None);
            let statements = self.tree.files[file].statements;
            self.block(statements);
            self.activations.pop();
        }
        for function in 0..self.tree.functions.len() {
            if !self.tree.functions[function].is_closure() {
                let unknown = vec![Ty::Any; self.tree.functions[function].params.len()];
                self.follow(function, unknown, None);
            }
        }
        self.follow_the_rest();
        Rc::new(std::mem::take(&mut self.findings)).all()
    }

    /// Closures that nothing known calls: kept in maps, or given to what is not known.
    fn follow_the_rest(&mut self) {
        loop {
            let left =
                self.made.iter().find(|(function, _)| !self.closures_followed.contains(function));
            let Some((_, closure)) =
                left.map(|(function, closure)| (*function, Rc::clone(closure)))
            else {
                return;
            };
            self.call_closure(&closure, None);
            self.closures_followed.insert(closure.function);
        }
    }

    fn enter(&mut self, file: usize, variables: Vec<(String, Ty)>, called: Option<(Spot, String)>) {
        let limited = variables.into_iter().map(|(name, ty)| (name, self.limited(ty)));
        let variables = limited.collect();
        self.next_activation += 1;
        self.activations.push(Activation {
            id: self.next_activation,
            file,
            variables,
            answers: Ty::Never,
            called,
            tested: Vec::new(),
            loops: 0,
            dead: false,
        });
    }

    fn here(&mut self) -> &mut Activation {
        self.activations.last_mut().expect("every evaluation is inside a call")
    }

    pub(super) fn file(&self) -> usize {
        self.activations.last().map_or(0, |activation| activation.file)
    }

    pub(super) fn spot(&self, position: Position) -> Spot {
        Spot { file: self.file(), position }
    }

    /// Whether a function is being followed with the values of one call.
    pub(super) fn is_in_function(&self) -> bool {
        self.activations.len() > 1
    }

    fn limited(&mut self, ty: Ty) -> Ty {
        limited(ty, &mut self.steps)
    }

    /// Work that takes as long as so many steps.
    pub(super) fn spend(&mut self, steps: usize) {
        self.steps += steps;
    }

    /// One more step; false when there were too many.
    pub(super) fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps < MOST_STEPS
    }

    // --- findings ---------------------------------------------------------------------------------

    pub(super) fn report(&mut self, spot: Spot, diagnostic: Diagnostic) {
        self.count_problem(spot);
        self.findings.own.push(Finding::Problem { spot, diagnostic, excusable: None });
    }

    /// Whoever has that many problems is told enough, and told soon.
    fn count_problem(&mut self, spot: Spot) {
        self.problems.insert(spot);
        if self.problems.len() > MOST_PROBLEMS {
            self.steps = MOST_STEPS;
        }
    }

    /// Reports what brings its own place.
    pub(super) fn report_placed(&mut self, diagnostic: Diagnostic) {
        self.report(self.spot(Position::NONE), diagnostic);
    }

    /// Reports what another call of the same function may excuse, with the calls that led here.
    pub(super) fn report_read(&mut self, spot: Spot, mut diagnostic: Diagnostic, read: Spot) {
        if self.is_in_function() && self.is_dead() {
            // With the values of this call it is never reached.
            return;
        }
        for activation in self.activations.iter().rev() {
            let Some((called, name)) = &activation.called else { continue };
            if let Some(place) = self.place(*called) {
                diagnostic.frames.push(Frame { name: name.clone(), place });
            }
        }
        self.count_problem(spot);
        self.findings.own.push(Finding::Problem { spot, diagnostic, excusable: Some(read) });
    }

    pub(super) fn read_well(&mut self, spot: Spot) {
        self.findings.own.push(Finding::Good(spot));
    }

    pub(super) fn read_perhaps(&mut self, spot: Spot) {
        self.findings.own.push(Finding::Possible(spot));
    }

    pub(super) fn place(&self, spot: Spot) -> Option<piton_core::diagnostic::Place> {
        self.tree.files[spot.file].source.place(spot.position)
    }

    /// Does something without keeping what it finds.
    fn muted<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let (own, inner) = (self.findings.own.len(), self.findings.inner.len());
        let answer = work(self);
        self.findings.own.truncate(own);
        self.findings.inner.truncate(inner);
        answer
    }

    // --- variables --------------------------------------------------------------------------------

    pub(super) fn define(&mut self, name: &str, ty: Ty) {
        let ty = self.limited(ty);
        self.here().variables.push((name.to_owned(), ty));
    }

    pub(super) fn lookup(&self, name: &str) -> Option<Ty> {
        let variables = &self.activations.last()?.variables;
        variables.iter().rev().find(|(known, _)| known == name).map(|(_, ty)| ty.clone())
    }

    pub(super) fn assign(&mut self, name: &str, ty: Ty) {
        let ty = self.limited(ty);
        let variables = &mut self.here().variables;
        if let Some((_, known)) = variables.iter_mut().rev().find(|(known, _)| known == name) {
            *known = ty;
        }
    }

    /// Does something where conditions tell variables apart.
    pub(super) fn with_tested<T>(
        &mut self,
        names: Vec<String>,
        work: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let count = self.here().tested.len();
        self.here().tested.extend(names);
        let answer = work(self);
        self.here().tested.truncate(count);
        answer
    }

    pub(super) fn is_tested(&self, name: &str) -> bool {
        self.activations.last().is_some_and(|here| here.tested.iter().any(|known| known == name))
    }

    fn snapshot(&mut self) -> Snapshot {
        self.spend(self.activations.last().map_or(0, |here| here.variables.len()));
        let here = self.here();
        Snapshot { variables: here.variables.clone(), dead: here.dead }
    }

    fn restore(&mut self, snapshot: &Snapshot) {
        let here = self.here();
        here.variables.clone_from(&snapshot.variables);
        here.dead = snapshot.dead;
    }

    /// The present state becomes: this one or that one.
    fn meet(&mut self, other: Snapshot) {
        if other.dead {
            return;
        }
        let Some(here) = self.activations.last_mut() else { return };
        if here.dead {
            here.variables = other.variables;
            here.dead = false;
            return;
        }
        for ((_, known), (_, further)) in here.variables.iter_mut().zip(other.variables) {
            join(known, further, &mut self.steps);
        }
    }

    pub(super) fn end_here(&mut self) {
        self.here().dead = true;
    }

    fn is_dead(&mut self) -> bool {
        self.here().dead
    }

    // --- calls ------------------------------------------------------------------------------------

    /// What a function answers to arguments.
    pub(super) fn follow(
        &mut self,
        function: usize,
        mut arguments: Vec<Ty>,
        called: Option<Spot>,
    ) -> Ty {
        let definition = &self.tree.functions[function];
        arguments.resize(definition.params.len(), Ty::Any);
        if !self.step() {
            return Ty::Any;
        }
        let known = self.followed.get(&function).map_or(&[][..], Vec::as_slice);
        if let Some(known) = known.iter().find(|known| known.arguments == arguments) {
            let (answer, findings) = (known.answer.clone(), Rc::clone(&known.findings));
            self.findings.inner.push(findings);
            return answer;
        }
        let too_many = known.len() >= MOST_CALLS || self.activations.len() >= DEEPEST;
        if too_many || self.running.contains(&function) {
            return Ty::Any;
        }
        let outer = std::mem::take(&mut self.findings);
        let variables = definition.params.iter().cloned().zip(arguments.iter().cloned()).collect();
        let called = called.map(|spot| (spot, definition.name.clone()));
        self.enter(definition.file, variables, called);
        self.running.push(function);
        let answer = self.body(&definition.body);
        self.running.pop();
        self.activations.pop();
        let findings = Rc::new(std::mem::replace(&mut self.findings, outer));
        self.findings.inner.push(Rc::clone(&findings));
        // What a closure changes in its surroundings would be lost.
        if !arguments.iter().any(holds_closure) {
            let followed = Followed { arguments, answer: answer.clone(), findings };
            self.followed.entry(function).or_default().push(followed);
        }
        answer
    }

    /// What a closure answers; no arguments means that they are not known.
    pub(super) fn call_closure(&mut self, closure: &Rc<Closure>, arguments: Option<Vec<Ty>>) -> Ty {
        let definition = &self.tree.functions[closure.function];
        let is_running = self.running.iter().filter(|running| **running == closure.function);
        if self.activations.len() >= DEEPEST || is_running.count() > 1 {
            return Ty::Any;
        }
        self.closures_followed.insert(closure.function);
        let home = self.activations.iter().position(|activation| activation.id == closure.frame);
        let mut variables: Vec<(String, Ty)> = Vec::with_capacity(definition.params.len());
        for (name, was) in &closure.captured {
            let present = home.and_then(|home| {
                let variables = &self.activations[home].variables;
                variables.iter().rev().find(|(known, _)| known == name)
            });
            variables.push((name.clone(), present.map_or(was, |(_, ty)| ty).clone()));
        }
        let own = definition.params.iter().skip(closure.captured.len());
        let given = arguments.unwrap_or_default();
        let mut given = given.into_iter();
        for name in own {
            variables.push((name.clone(), given.next().unwrap_or(Ty::Any)));
        }
        let loops = self.activations.last().map_or(0, |here| here.loops);
        self.enter(definition.file, variables, None);
        // A closure runs where it is called, and with whatever is around.
        self.here().loops = loops;
        self.running.push(closure.function);
        let answer = self.body(&definition.body);
        self.running.pop();
        let left = self.activations.pop().expect("it was entered above");
        if let Some(home) = home {
            for (name, after) in left.variables.into_iter().take(closure.captured.len()) {
                let variables = &mut self.activations[home].variables;
                let known = variables.iter_mut().rev().find(|(known, _)| *known == name);
                if let Some((_, known)) = known {
                    join(known, after, &mut self.steps);
                }
            }
        }
        answer
    }

    /// The closure that a literal makes here.
    pub(super) fn make_closure(&mut self, function: usize, captured: &[&rhai::Ident]) -> Ty {
        let captured = captured
            .iter()
            .map(|name| (name.name.to_string(), self.lookup(&name.name).unwrap_or(Ty::Any)))
            .collect();
        let frame = self.here().id;
        let closure = Rc::new(Closure { function, captured, frame });
        self.made.entry(function).or_insert_with(|| Rc::clone(&closure));
        Ty::Closure(closure)
    }

    /// A function's answer: what it returns, and its last value.
    fn body(&mut self, statements: &'p [Stmt]) -> Ty {
        let last = self.block(statements);
        let is_dead = self.is_dead();
        let here = self.here();
        let returned = std::mem::replace(&mut here.answers, Ty::Never);
        self.limited(if is_dead { returned } else { returned.or(last) })
    }

    // --- statements -------------------------------------------------------------------------------

    /// Statements with variables of their own; the value of the last.
    pub(super) fn block(&mut self, statements: &'p [Stmt]) -> Ty {
        let (variables, tested) = (self.here().variables.len(), self.here().tested.len());
        let mut value = Ty::Unit;
        for statement in statements {
            value = self.statement(statement);
        }
        self.here().variables.truncate(variables);
        self.here().tested.truncate(tested);
        if self.is_dead() { Ty::Never } else { value }
    }

    fn statement(&mut self, statement: &'p Stmt) -> Ty {
        if !self.step() {
            return Ty::Any;
        }
        match statement {
            Stmt::Expr(expression) => self.eval(expression),
            Stmt::FnCall(call, position) => self.function_call(call, *position),
            Stmt::Var(variable, ..) => {
                let ty = self.eval(&variable.1);
                self.define(&variable.0.name, ty);
                Ty::Unit
            }
            Stmt::Assignment(assignment) => {
                self.assignment(&assignment.0, &assignment.1);
                Ty::Unit
            }
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::If(control, _) => self.branches(control),
            Stmt::Switch(switch, _) => self.switch(switch),
            Stmt::While(control, _) => {
                self.rounds(|inference| {
                    inference.eval(&control.expr);
                    inference.block(control.body.statements());
                });
                Ty::Any
            }
            Stmt::Do(control, ..) => {
                self.rounds(|inference| {
                    inference.block(control.body.statements());
                    inference.eval(&control.expr);
                });
                Ty::Any
            }
            Stmt::For(parts, _) => {
                self.for_loop(&parts.0.name, parts.1.as_ref().map(|name| &*name.name), &parts.2);
                Ty::Any
            }
            Stmt::TryCatch(control, _) => self.try_catch(control),
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.eval(value);
                }
                self.end_here();
                Ty::Never
            }
            Stmt::Return(value, flags, _) => {
                let ty = value.as_ref().map_or(Ty::Unit, |value| self.eval(value));
                let here = self.here();
                if !flags.contains(rhai::ASTFlags::BREAK) && !here.dead {
                    here.answers = std::mem::replace(&mut here.answers, Ty::Never).or(ty);
                }
                self.end_here();
                Ty::Never
            }
            Stmt::Import(import, _) => self.eval(&import.0),
            _ => Ty::Unit,
        }
    }

    /// One of two ways, each with what the condition tells apart.
    fn branches(&mut self, control: &'p FlowControl) -> Ty {
        let condition = self.eval(&control.expr);
        let tested = told_apart(&control.expr);
        let count = self.here().tested.len();
        self.here().tested.extend(tested);
        // Outside of functions, what a condition rules out is looked at all the same.
        let known = condition.truth().filter(|_| self.is_in_function());
        let before = self.snapshot();
        let first = match known {
            Some(false) => {
                self.end_here();
                Ty::Never
            }
            _ => {
                self.narrow(&control.expr, true);
                self.block(control.body.statements())
            }
        };
        let after = self.snapshot();
        self.restore(&before);
        let second = match known {
            Some(true) => {
                self.end_here();
                Ty::Never
            }
            _ => {
                self.narrow(&control.expr, false);
                self.block(control.branch.statements())
            }
        };
        let returns = after.dead != self.is_dead();
        self.meet(after);
        if !returns {
            // After `if map.get("a") == () { return; }` the rest is told apart, too.
            self.here().tested.truncate(count);
        }
        first.or(second)
    }

    /// What a condition says of the variables in it.
    fn narrow(&mut self, condition: &'p Expr, holds: bool) {
        match condition {
            Expr::And(parts, _) if holds => parts.iter().for_each(|part| self.narrow(part, true)),
            Expr::Or(parts, _) if !holds => parts.iter().for_each(|part| self.narrow(part, false)),
            Expr::FnCall(call, _) if call.is_operator_call() => {
                match (call.name.as_str(), &*call.args) {
                    ("!", [inner]) => self.narrow(inner, !holds),
                    (name @ ("==" | "!="), [Expr::Variable(variable, ..), other]) => {
                        let is_plain = matches!(
                            other,
                            Expr::Unit(_) | Expr::StringConstant(..) | Expr::BoolConstant(..)
                        );
                        if is_plain && variable.2.is_empty() {
                            let value = self.muted(|inference| inference.eval(other));
                            self.narrow_to(&variable.1, &value, (name == "==") == holds);
                        }
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A variable has a value, or has it not.
    fn narrow_to(&mut self, name: &str, value: &Ty, is_equal: bool) {
        let Some(ty) = self.lookup(name) else { return };
        let is_it = |one: &Ty| match (one.literal(), value.literal()) {
            (Some(left), Some(right)) => left.value == right.value,
            _ => one == value,
        };
        let stays = |one: &&Ty| match one {
            Ty::Unit | Ty::Scalar(_, Some(_)) => is_it(one) == is_equal,
            Ty::Map(_) | Ty::List(..) | Ty::Closure(_) | Ty::Account | Ty::Client(_) => !is_equal,
            _ => true,
        };
        let left = Ty::any_of(ty.alternatives().iter().filter(stays).cloned());
        if left != Ty::Never {
            self.assign(name, left);
        }
    }

    fn switch(&mut self, switch: &'p (Expr, rhai::SwitchCasesCollection)) -> Ty {
        self.eval(&switch.0);
        let tested = variables(&switch.0);
        let count = self.here().tested.len();
        self.here().tested.extend(tested);
        let before = self.snapshot();
        let mut after = match switch.1.def_case {
            None => Some(self.snapshot()),
            Some(_) => None,
        };
        let mut value = if switch.1.def_case.is_none() { Ty::Unit } else { Ty::Never };
        for case in &switch.1.expressions {
            self.restore(&before);
            self.eval(&case.lhs);
            value = value.or(self.eval(&case.rhs));
            if let Some(other) = after.take() {
                self.meet(other);
            }
            after = Some(self.snapshot());
        }
        if let Some(after) = after {
            self.restore(&after);
        }
        self.here().tested.truncate(count);
        value
    }

    fn try_catch(&mut self, control: &'p FlowControl) -> Ty {
        let before = self.snapshot();
        let first = self.block(control.body.statements());
        let after = self.snapshot();
        // The error may come anywhere: before all of it, or after.
        self.restore(&before);
        self.meet(Snapshot {
            variables: after.variables.iter().take(before.variables.len()).cloned().collect(),
            dead: false,
        });
        let count = self.here().variables.len();
        if let Expr::Variable(variable, ..) = &control.expr {
            self.define(&variable.1, self.caught.clone());
        }
        let second = self.block(control.branch.statements());
        self.here().variables.truncate(count);
        self.meet(after);
        first.or(second)
    }

    fn for_loop(&mut self, name: &str, index: Option<&str>, control: &'p FlowControl) {
        let items = self.eval(&control.expr);
        let element = items.element();
        if matches!(items, Ty::List(..)) && element == Ty::Never {
            // A list that is empty as far as is known; what fills it may not be known.
            return self.rounds(|inference| inference.one_round(name, Ty::Any, index, control));
        }
        self.rounds(|inference| inference.one_round(name, element.clone(), index, control));
    }

    fn one_round(&mut self, name: &str, item: Ty, index: Option<&str>, control: &'p FlowControl) {
        let count = self.here().variables.len();
        self.define(name, item);
        if let Some(index) = index {
            self.define(index, Ty::INT);
        }
        self.block(control.body.statements());
        self.here().variables.truncate(count);
    }

    /// A loop: gone through in silence until its variables settle, then once aloud. Deep inside other
    /// loops nothing is known of variables, and once is enough.
    fn rounds(&mut self, mut body: impl FnMut(&mut Self)) {
        let was_dead = self.is_dead();
        self.here().loops += 1;
        if self.here().loops > DEEPEST_LOOPS {
            self.here().variables.iter_mut().for_each(|(_, known)| *known = Ty::Any);
            body(self);
            self.here().dead = was_dead;
            self.here().variables.iter_mut().for_each(|(_, known)| *known = Ty::Any);
        } else {
            self.settle_rounds(&mut body, was_dead);
        }
        self.here().loops -= 1;
    }

    fn settle_rounds(&mut self, body: &mut impl FnMut(&mut Self), was_dead: bool) {
        for round in 0..MOST_ROUNDS {
            let before = self.snapshot();
            self.muted(&mut *body);
            self.here().dead = was_dead;
            let start = before.variables.clone();
            self.meet(before);
            let here = self.here();
            settle(&mut here.variables, &start);
            if here.variables == start {
                break;
            }
            if round + 1 == MOST_ROUNDS {
                for ((_, known), (_, first)) in here.variables.iter_mut().zip(start) {
                    if *known != first {
                        *known = Ty::Any;
                    }
                }
            }
        }
        let before = self.snapshot();
        let start = before.variables.clone();
        body(self);
        self.here().dead = was_dead;
        self.meet(before);
        settle(&mut self.here().variables, &start);
    }

    // --- changing variables -----------------------------------------------------------------------

    /// Changes a part of a variable: `path` are its members, nothing in it where one is not known.
    pub(super) fn change(&mut self, root: &str, path: &[Option<(String, Spot)>], new: Ty) {
        let Some(ty) = self.lookup(root) else { return };
        let changed = changed(&ty, path, new);
        self.assign(root, changed);
    }
}

/// The same, unless it is too large. Large values take their time, to be made and to be compared.
fn limited(ty: Ty, steps: &mut usize) -> Ty {
    let (ty, parts) = ty.measured();
    *steps += parts;
    ty
}

/// A variable is this, or that.
fn join(known: &mut Ty, other: Ty, steps: &mut usize) {
    if *known != other {
        let either = std::mem::replace(known, Ty::Never).or(other);
        *known = limited(either, steps);
    }
}

/// What a loop changed is taken as changed.
fn settle(variables: &mut [(String, Ty)], before: &[(String, Ty)]) {
    for ((_, known), (_, was)) in variables.iter_mut().zip(before) {
        if known != was {
            known.settle();
        }
    }
}

fn changed(ty: &Ty, path: &[Option<(String, Spot)>], new: Ty) -> Ty {
    let Some((first, rest)) = path.split_first() else { return new };
    match (ty, first) {
        (Ty::Map(record), Some((name, spot))) => {
            let mut record = Record::clone(record);
            let was = record.get(name).unwrap_or(Ty::Unit);
            let field = Field { ty: changed(&was, rest, new), spot: *spot };
            record.members.insert(name.clone(), field);
            Ty::map(record)
        }
        (Ty::Map(record), None) => {
            let mut record = Record::clone(record);
            let was = record.everything();
            let inner = changed(&was, rest, new);
            record.rest = Some(record.rest.unwrap_or(Ty::Never).or(inner));
            // It may be any of the others that was changed.
            for field in record.members.values_mut() {
                field.ty = Ty::Any;
            }
            Ty::map(record)
        }
        (Ty::List(item, _), _) => {
            let inner = changed(item, rest, new);
            Ty::list((**item).clone().or(inner))
        }
        (Ty::OneOf(all), _) => {
            let known = all.iter().filter(|ty| !matches!(ty, Ty::Unit));
            Ty::any_of(known.map(|ty| changed(ty, path, new.clone())))
        }
        _ => Ty::Any,
    }
}

fn holds_closure(ty: &Ty) -> bool {
    match ty {
        Ty::Closure(_) => true,
        Ty::OneOf(all) => all.iter().any(holds_closure),
        Ty::List(item, _) => holds_closure(item),
        Ty::Map(record) => {
            record.members.values().any(|field| holds_closure(&field.ty))
                || record.rest.as_ref().is_some_and(holds_closure)
        }
        _ => false,
    }
}

/// The variables that a condition tells apart: all in it, but for `x == ()` and `x != ()`.
pub(super) fn told_apart(condition: &Expr) -> Vec<String> {
    match condition {
        Expr::And(parts, _) | Expr::Or(parts, _) => parts.iter().flat_map(told_apart).collect(),
        Expr::FnCall(call, _) if call.is_operator_call() => {
            let is_absence = matches!(call.name.as_str(), "==" | "!=")
                && matches!(&*call.args, [Expr::Variable(..), Expr::Unit(_)]);
            if is_absence { Vec::new() } else { variables(condition) }
        }
        other => variables(other),
    }
}

/// A mistake in a name that something reads.
pub(super) fn undefined(message: String) -> Diagnostic {
    Diagnostic::error(Code::UndefinedName, message)
}
