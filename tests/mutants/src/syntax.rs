//! What the mutator asks of the syntax.

use quote::ToTokens;
use syn::{Attribute, BinOp, Expr};

/// Source text on one line.
pub fn text(tokens: &impl ToTokens) -> String {
    let text = tokens.to_token_stream().to_string();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for_readers(&text)
}

fn for_readers(text: &str) -> String {
    let text = text
        .replace(" . ", ".")
        .replace(" :: ", "::")
        .replace(" (", "(")
        .replace("( ", "(")
        .replace(" )", ")")
        .replace(" ,", ",")
        .replace("& ", "&")
        .replace(" ;", ";");
    if text.chars().count() > 90 {
        let start: String = text.chars().take(90).collect();
        format!("{start}…")
    } else {
        text
    }
}

/// Whether this is a choice that was put in by hand, or its opposite.
pub fn is_choice(expr: &Expr) -> bool {
    match expr {
        Expr::Call(call) => text(&call.func) == "crate::mutant::is",
        Expr::Unary(unary) => is_choice(&unary.expr),
        Expr::Paren(paren) => is_choice(&paren.expr),
        _ => false,
    }
}

/// Whether a condition has a `let` in it, so that it is no value.
pub fn has_let(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        Expr::Paren(paren) => has_let(&paren.expr),
        _ => false,
    }
}

/// Whether another mutant already is the opposite of this condition, or it has none.
pub fn is_negated_elsewhere(condition: &Expr) -> bool {
    match condition {
        Expr::Binary(binary) => {
            matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_))
                || is_choice(&binary.left)
                || is_choice(&binary.right)
        }
        Expr::Unary(_) | Expr::Macro(_) | Expr::Lit(_) => true,
        other => is_choice(other),
    }
}

/// Whether a statement of this expression can be left out.
pub fn is_removable(expr: &Expr) -> bool {
    match expr {
        Expr::Call(_) | Expr::MethodCall(_) => !is_choice(expr),
        Expr::Assign(_) => true,
        Expr::Binary(binary) => {
            text(&binary.op).ends_with('=')
                && text(&binary.op).len() == 2
                && !matches!(
                    binary.op,
                    BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Le(_) | BinOp::Ge(_)
                )
        }
        _ => false,
    }
}

/// Whether an item is compiled for tests only.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("cfg") && text(attribute).contains("test"))
}
