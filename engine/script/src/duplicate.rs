//! Where a map literal has a member for the first time, when it has it twice: either may be the slip.

use rhai::{Engine, Position, Token};

/// What a bracket opens.
enum Open {
    /// A map, with its members so far.
    Map(Vec<(String, Position)>),
    /// Code inside a text.
    Text,
    Other,
}

/// The place of a member of this name in the map whose member stands at `second`.
pub(crate) fn first_of_two(
    engine: &Engine,
    text: &str,
    second: Position,
    name: &str,
) -> Option<Position> {
    let texts = [text];
    let (tokens, control) = engine.lex(&texts);
    let mut open: Vec<Open> = Vec::new();
    let mut before: Option<(String, Position)> = None;
    let mut opens_code = false;
    for (token, position) in tokens {
        if position == second {
            let Some(Open::Map(members)) = open.last() else { return None };
            return members.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
        }
        match &token {
            Token::EOF | Token::LexError(_) => return None,
            Token::MapStart => open.push(Open::Map(Vec::new())),
            Token::LeftBrace if opens_code => open.push(Open::Text),
            Token::LeftBrace | Token::LeftBracket | Token::QuestionBracket | Token::LeftParen => {
                open.push(Open::Other);
            }
            Token::RightBrace => {
                if let Some(Open::Text) = open.pop() {
                    // The lexer has to be told, as the parser does.
                    control.borrow_mut().is_within_text = true;
                }
            }
            Token::RightBracket | Token::RightParen => drop(open.pop()),
            Token::Colon => {
                if let (Some(member), Some(Open::Map(members))) = (before.take(), open.last_mut()) {
                    members.push(member);
                }
            }
            _ => {}
        }
        opens_code = matches!(token, Token::InterpolatedString(_));
        before = match token {
            Token::Identifier(name) | Token::StringConstant(name) => {
                Some((name.to_string(), position))
            }
            _ => None,
        };
    }
    None
}
