//! The program as the checker reads it: files, functions and closures with their bodies, imports,
//! and the parts of expressions that Rhai nests.

use std::collections::{BTreeMap, HashMap};

use rhai::{
    AST, ASTFlags, ASTNode, BinaryExpr, Expr, FnCallExpr, FnPtr, Ident, Module, Position,
    ScriptFuncDef, Shared, Stmt,
};

use crate::bound;
use crate::program::{Compiled, Script};
use crate::rules::{Node, walk_expression, walk_statement};
use crate::source::Source;

/// A function or closure.
pub(super) struct Function {
    pub(super) file: usize,
    pub(super) name: String,
    /// Parameters; of a closure, what it captures comes first.
    pub(super) params: Vec<String>,
    pub(super) body: Vec<Stmt>,
    pub(super) start: Position,
}

impl Function {
    pub(super) fn is_closure(&self) -> bool {
        self.name.starts_with("anon$")
    }
}

/// One script.
pub(super) struct File<'p> {
    pub(super) source: &'p Source,
    pub(super) statements: &'p [Stmt],
    /// Functions by name and number of parameters, as indices.
    pub(super) functions: BTreeMap<(String, usize), usize>,
    /// Imported files by the name they have here.
    pub(super) imports: BTreeMap<String, usize>,
}

impl File<'_> {
    /// How many parameters the functions of a name take.
    pub(super) fn arities(&self, name: &str) -> Vec<usize> {
        self.functions.keys().filter(|(known, _)| known == name).map(|(_, count)| *count).collect()
    }
}

/// The whole program.
pub(super) struct Tree<'p> {
    pub(super) compiled: &'p Compiled,
    pub(super) files: Vec<File<'p>>,
    pub(super) functions: Vec<Function>,
    /// Services that the scripts name: a client is of one of them.
    pub(super) services: Vec<&'static str>,
    /// Closures by Rhai's name.
    pub(super) closures: HashMap<String, usize>,
    /// Names that the scripts read by, and how often: properties, and texts, in parts where they are
    /// paths.
    pub(super) read: BTreeMap<String, usize>,
    /// Names of members that the scripts write, and how often.
    pub(super) written: BTreeMap<String, usize>,
}

impl<'p> Tree<'p> {
    pub(super) fn new(compiled: &'p Compiled) -> Self {
        let mut tree = Self {
            compiled,
            files: Vec::new(),
            functions: Vec::new(),
            services: Vec::new(),
            closures: HashMap::new(),
            read: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        for (file, script) in compiled.scripts().iter().enumerate() {
            tree.add(file, script);
        }
        let imports: Vec<_> = (0..tree.files.len()).map(|file| tree.imports(file)).collect();
        for (file, imports) in imports.into_iter().enumerate() {
            tree.files[file].imports = imports;
        }
        (tree.read, tree.written) = tree.names();
        tree.services = bound::services().filter(|name| tree.read.contains_key(*name)).collect();
        tree
    }

    fn add(&mut self, file: usize, script: &'p Script) {
        let mut functions = BTreeMap::new();
        let mut definitions: Vec<_> = script.ast.iter_fn_def().collect();
        // The order of definitions is a hash map's.
        definitions.sort_by_key(|function| (function.body.start_position(), function.name.clone()));
        for definition in definitions {
            let index = self.functions.len();
            let name = definition.name.to_string();
            let params: Vec<String> = definition.params.iter().map(ToString::to_string).collect();
            if name.starts_with("anon$") {
                self.closures.insert(name.clone(), index);
            } else {
                functions.insert((name.clone(), params.len()), index);
            }
            let body = body_of(definition);
            let start = definition.body.start_position();
            self.functions.push(Function { file, name, params, body, start });
        }
        self.files.push(File {
            source: &script.source,
            statements: script.ast.statements(),
            functions,
            imports: BTreeMap::new(),
        });
    }

    /// What the file imports: a name that stands for several files stands for none.
    fn imports(&self, file: usize) -> BTreeMap<String, usize> {
        let mut found: BTreeMap<String, Option<usize>> = BTreeMap::new();
        let importer = self.files[file].source.path();
        self.visit(file, &mut |node| {
            if let Node::Statement(Stmt::Import(import, _)) = node
                && let Expr::StringConstant(path, _) = &import.0
            {
                let script = self.compiled.imported(Some(importer), path);
                let target = script.and_then(|script| self.index_of(script.source.path()));
                let entry = found.entry(import.1.name.to_string()).or_insert(target);
                if *entry != target {
                    *entry = None;
                }
            }
        });
        found.into_iter().filter_map(|(name, file)| Some((name, file?))).collect()
    }

    /// What a file imports while it is imported itself, the last first.
    pub(super) fn imported_at_once(&self, file: usize) -> Vec<(usize, Position)> {
        let mut found = Vec::new();
        for statement in self.files[file].statements.iter().rev() {
            if let Stmt::Import(import, _) = statement
                && let Expr::StringConstant(path, position) = &import.0
            {
                let importer = self.files[file].source.path();
                let script = self.compiled.imported(Some(importer), path);
                let target = script.and_then(|script| self.index_of(script.source.path()));
                found.extend(target.map(|target| (target, *position)));
            }
        }
        found
    }

    fn index_of(&self, path: &str) -> Option<usize> {
        self.files.iter().position(|file| file.source.path() == path)
    }

    /// Every node of a file, its functions and closures included.
    pub(super) fn visit(&self, file: usize, see: &mut dyn FnMut(Node<'_>)) {
        for statement in self.files[file].statements {
            walk_statement(statement, see);
        }
        for function in self.functions.iter().filter(|function| function.file == file) {
            for statement in &function.body {
                walk_statement(statement, see);
            }
        }
    }

    /// Names of members that are read, and those that are written.
    fn names(&self) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
        let (mut read, mut written) = (BTreeMap::new(), BTreeMap::new());
        let count = |names: &mut BTreeMap<String, usize>, name: &str| {
            *names.entry(name.to_owned()).or_default() += 1;
        };
        for file in 0..self.files.len() {
            self.visit(file, &mut |node| match node {
                Node::Expression(Expr::Property(property, _)) => {
                    count(&mut read, &property.2);
                }
                Node::Expression(Expr::StringConstant(text, _)) => {
                    text.split('.').for_each(|part| count(&mut read, part));
                }
                Node::Expression(Expr::Map(map, _)) => {
                    map.0.iter().for_each(|(name, _)| count(&mut written, &name.name));
                }
                _ => {}
            });
        }
        (read, written)
    }

    /// The closure that an expression makes: its function and what it captures.
    pub(super) fn closure<'e>(&self, expression: &'e Expr) -> Option<(usize, Vec<&'e Ident>)> {
        match expression {
            Expr::DynamicConstant(value, _) => {
                let pointer = value.read_lock::<FnPtr>()?;
                Some((*self.closures.get(pointer.fn_name())?, Vec::new()))
            }
            Expr::Stmt(block) => match block.statements() {
                [Stmt::Share(shared), Stmt::Expr(last)] => {
                    let Expr::FnCall(call, _) = &**last else { return None };
                    let (function, _) = self.closure(call.args.first()?)?;
                    Some((function, shared.iter().map(|(name, _)| name).collect()))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

/// The statements of one function. Rhai shows bodies to a walk alone, and does not say whose they
/// are; here it walks a program of this function and nothing else.
fn body_of(definition: &Shared<ScriptFuncDef>) -> Vec<Stmt> {
    let mut library = Module::new();
    library.set_script_fn(Shared::clone(definition));
    let mut body = Vec::new();
    AST::new([], library).walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    body
}

/// One step along `a.b[0].c()`.
pub(super) enum Link<'e> {
    Property(&'e str, Position),
    Method(&'e FnCallExpr, Position),
    Index(&'e Expr),
}

/// A chain as its base and steps. Rhai nests them to the right.
pub(super) fn chain(expression: &Expr) -> (&Expr, Vec<Link<'_>>) {
    let mut links = Vec::new();
    let (base, mut pair, mut flags, mut is_dot) = match expression {
        Expr::Dot(pair, flags, _) => (&pair.lhs, &**pair, *flags, true),
        Expr::Index(pair, flags, _) => (&pair.lhs, &**pair, *flags, false),
        other => return (other, links),
    };
    loop {
        let goes_on = !flags.intersects(ASTFlags::BREAK);
        let next: Option<(&BinaryExpr, ASTFlags, bool)> = match &pair.rhs {
            Expr::Dot(next, flags, _) if goes_on => Some((next, *flags, true)),
            Expr::Index(next, flags, _) if goes_on => Some((next, *flags, false)),
            _ => None,
        };
        let step = next.map_or(&pair.rhs, |(next, ..)| &next.lhs);
        links.push(match step {
            Expr::Property(property, position) if is_dot => Link::Property(&property.2, *position),
            Expr::MethodCall(call, position) if is_dot => Link::Method(call, *position),
            other => Link::Index(other),
        });
        match next {
            Some((next, next_flags, next_is_dot)) => {
                (pair, flags, is_dot) = (next, next_flags, next_is_dot);
            }
            None => return (base, links),
        }
    }
}

/// The variable that an expression or a chain begins with.
pub(super) fn root_variable(expression: &Expr) -> Option<&str> {
    match chain(expression).0 {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(&variable.1),
        _ => None,
    }
}

/// The variables in an expression, closures left out.
pub(super) fn variables(expression: &Expr) -> Vec<String> {
    let mut found = Vec::new();
    walk_expression(expression, &mut |node| {
        if let Node::Expression(Expr::Variable(variable, ..)) = node
            && variable.2.is_empty()
        {
            found.push(variable.1.to_string());
        }
    });
    found
}
