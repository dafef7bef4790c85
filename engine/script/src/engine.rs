//! How Rhai is set up: which of its packages scripts get, what is off, and where modules come from.
//!
//! There is no file resolver, no clock, no `eval` and no functions by computed name: what a program
//! can do is what its text says. The optimizer is off, since it removes positions and calls.

use std::cell::Cell;
use std::sync::OnceLock;

use rhai::packages::{
    BasicArrayPackage, BasicBlobPackage, BasicMapPackage, BasicMathPackage, BitFieldPackage,
    CorePackage, LogicPackage, MoreStringPackage, Package as _,
};
use rhai::{
    Engine, EvalAltResult, LexError, Module, ModuleResolver, OptimizationLevel, ParseError,
    Position, Scope, Shared, Token,
};

use crate::failure::{Native, Raise};
use crate::prelude::{self, accounts, data, params};
use crate::session::Session;
use crate::suspend::{self, Halted};

/// Calls inside calls. With [`EXPRESSION_DEPTH`] it must fit the stack of a script thread.
const CALL_LEVELS: usize = 128;
/// Nested maps take several levels each; Rhai's own limit refuses ordinary ones.
const EXPRESSION_DEPTH: usize = 256;
const MODULES: usize = 256;

/// An engine for one program, before its methods are known.
pub(crate) fn engine() -> Result<Engine, ParseError> {
    let mut engine = Engine::new_raw();
    for module in shared_modules() {
        engine.register_global_module(Shared::clone(module));
    }
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_call_levels(CALL_LEVELS)
        .set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH)
        .set_max_modules(MODULES)
        .disable_symbol("eval")
        .disable_symbol("Fn")
        .set_module_resolver(Resolver)
        .on_progress(suspend::on_progress)
        .on_print(print)
        .on_debug(|text, _, _| print(text));
    free_words(&mut engine);
    params::register_word(&mut engine)?;
    params::register_types(&mut engine);
    data::register_types(&mut engine);
    Ok(engine)
}

/// Rhai reserves `call` for calling closures, which also works when it is an ordinary word; as an
/// ordinary word it can be the key of an option. `params` is refused after a dot: Rhai's parser
/// panics at a word of the language there.
#[expect(deprecated, reason = "Rhai marks what it may change so; the version is pinned")]
fn free_words(engine: &mut Engine) {
    engine.on_parse_token(|token, _, _| {
        thread_local!(static AFTER_DOT: Cell<bool> = const { Cell::new(false) });
        let after_dot = AFTER_DOT.replace(matches!(token, Token::Period | Token::Elvis));
        match token {
            Token::Reserved(word) if word.as_str() == "call" => Token::Identifier(word),
            Token::Identifier(word) if after_dot && word.as_str() == params::WORD => {
                Token::LexError(LexError::UnexpectedInput(word.to_string()).into())
            }
            other => other,
        }
    });
}

/// Makes every method of a program an operation of its clients.
pub(crate) fn bind_methods<'a>(engine: &mut Engine, methods: impl Iterator<Item = &'a str>) {
    accounts::register_types(engine, methods);
}

/// Rhai's packages and the prelude over them, built once; later ones win.
fn shared_modules() -> &'static [Shared<Module>] {
    static MODULES: OnceLock<Vec<Shared<Module>>> = OnceLock::new();
    MODULES.get_or_init(|| {
        vec![
            CorePackage::new().as_shared_module(),
            LogicPackage::new().as_shared_module(),
            BasicMathPackage::new().as_shared_module(),
            BitFieldPackage::new().as_shared_module(),
            BasicArrayPackage::new().as_shared_module(),
            BasicBlobPackage::new().as_shared_module(),
            BasicMapPackage::new().as_shared_module(),
            MoreStringPackage::new().as_shared_module(),
            Shared::new(prelude::module()),
        ]
    })
}

/// `print` is a note. Rhai gives no way to fail here, so an end shows at the next operation.
fn print(text: &str) {
    if suspend::halted() != Halted::No {
        return;
    }
    suspend::progressed();
    if Session::current().host.note(text).is_err() {
        drop(suspend::halt(Halted::Stopped));
    }
}

/// Modules are files of the program, and nothing else.
struct Resolver;

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Native<Shared<Module>> {
        suspend::check()?;
        let session = Session::current();
        let Some(script) = session.program.imported(source, path) else {
            return Err(EvalAltResult::ErrorModuleNotFound(path.to_owned(), position).into());
        };
        let file = script.source.path();
        if let Some(module) = session.module(file) {
            return Ok(module);
        }
        let module = Module::eval_ast_as_new(Scope::new(), &script.ast, engine);
        suspend::check()?;
        let module = Shared::new(module.map_err(|error| in_module(file, error, position))?);
        session.keep_module(file, Shared::clone(&module));
        Ok(module)
    }
}

/// The error with the import as a frame; an end stays what it is.
fn in_module(file: &str, error: Raise, position: Position) -> Raise {
    if error.is_catchable() {
        EvalAltResult::ErrorInModule(file.to_owned(), error, position).into()
    } else {
        error
    }
}
