//! Puts every mutant of a file into the file itself, each behind a choice that is made at run time.

use std::collections::HashMap;

use proc_macro2::{Group, Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, BinOp, Block, Expr, ImplItemFn, Item, ItemFn, ItemImpl, ItemMod, Lit, Pat,
    ReturnType, Signature, Stmt, TraitItemFn, Type, UnOp, parse_quote,
};

use crate::rules;
use crate::syntax::{has_let, is_choice, is_for_tests, is_negated_elsewhere, is_removable, text};

/// One small change of the core.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// What chooses it.
    pub number: usize,
    /// The file of `core/src`, without its ending.
    pub file: String,
    /// The line there.
    pub line: usize,
    /// The function, and what is changed in it. Unique in the file.
    pub what: String,
    /// Whether a memory ordering is weakened, which only loom can see.
    pub is_ordering: bool,
}

/// All mutants so far.
#[derive(Default)]
pub struct Mutants {
    pub all: Vec<Mutant>,
    seen: HashMap<String, usize>,
}

impl Mutants {
    /// Takes another one in; the expression that says whether it is the one chosen.
    pub fn add(&mut self, file: &str, line: usize, what: String, is_ordering: bool) -> Expr {
        let number = self.all.len() + 1;
        let times = self.seen.entry(format!("{file}: {what}")).or_default();
        *times += 1;
        let what = if *times > 1 {
            format!("{what} #{times}")
        } else {
            what
        };
        self.all.push(Mutant {
            number,
            file: file.to_owned(),
            line,
            what,
            is_ordering,
        });
        let number = Literal::usize_unsuffixed(number);
        parse_quote!(crate::mutant::is(#number))
    }
}

/// Goes through a file.
pub struct Mutator<'a> {
    pub file: &'a str,
    pub mutants: &'a mut Mutants,
    pub function: String,
}

impl Mutator<'_> {
    fn add(&mut self, line: usize, what: &str) -> Expr {
        let what = format!("{}: {what}", self.function);
        self.mutants.add(self.file, line, what, false)
    }

    fn ordering(&mut self, line: usize, name: &str) -> Expr {
        let what = format!("{}: {name} → Relaxed", self.function);
        self.mutants.add(self.file, line, what, true)
    }

    fn function(&mut self, signature: &Signature, block: &mut Block) {
        if signature.constness.is_some() {
            return;
        }
        let outer = std::mem::replace(&mut self.function, signature.ident.to_string());
        let line = signature.ident.span().start().line;
        let is_one_call = match block.stmts.as_slice() {
            [Stmt::Expr(expr, Some(_))] => is_removable(expr),
            _ => false,
        };
        self.visit_block_mut(block);
        let output = match &signature.output {
            ReturnType::Default => String::new(),
            ReturnType::Type(_, output) => output.to_token_stream().to_string(),
        };
        if !is_one_call {
            for early in rules::early_returns(&output) {
                let choice = self.add(line, &format!("at once {early}"));
                let early: Stmt = syn::parse_str(early).expect("a statement");
                block.stmts.insert(0, parse_quote!(if #choice { #early }));
            }
        }
        self.function = outer;
    }

    fn condition(&mut self, line: usize, condition: &mut Expr, original: &Expr) {
        if !has_let(original) && !is_negated_elsewhere(original) {
            let choice = self.add(line, &format!("not ({})", text(original)));
            *condition = parse_quote!((#choice != (#condition)));
        }
    }

    /// `a && b`, `a || b`: the other operator, and each operand without the other.
    fn lazy(&mut self, expr: &mut Expr, before: &str) {
        let Expr::Binary(binary) = expr else { return };
        let line = binary.op.span().start().line;
        let is_and = matches!(binary.op, BinOp::And(_));
        let whole = has_let(&binary.left) || has_let(&binary.right);
        let has_choice = is_choice(&binary.left) || is_choice(&binary.right);
        for (name, operand) in [("left", &mut binary.left), ("right", &mut binary.right)] {
            if !has_let(operand) && !has_choice {
                let choice = self.add(line, &format!("no {name} of {before}"));
                **operand = if is_and {
                    parse_quote!((#operand || #choice))
                } else {
                    parse_quote!((#operand && !#choice))
                };
            }
        }
        if !whole && !has_choice {
            let (left, right) = (&binary.left, &binary.right);
            let other = if is_and { "||" } else { "&&" };
            let choice = self.add(line, &format!("{other} in {before}"));
            *expr = if is_and {
                parse_quote!(({ let left: bool = #left; if left != #choice { #right } else { left } }))
            } else {
                parse_quote!(({ let left: bool = #left; if left == #choice { #right } else { left } }))
            };
        }
    }

    fn binary(&mut self, expr: &mut Expr, before: &str) {
        let Expr::Binary(binary) = expr else { return };
        if matches!(binary.op, BinOp::And(_) | BinOp::Or(_)) {
            return self.lazy(expr, before);
        }
        let line = binary.op.span().start().line;
        let op = binary.op;
        let (left, right) = (&binary.left, &binary.right);
        let is_comparison = matches!(
            op,
            BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Lt(_) | BinOp::Le(_) | BinOp::Gt(_) | BinOp::Ge(_)
        );
        let others = rules::operators(&op.to_token_stream().to_string());
        if others.is_empty() || is_choice(left) || is_choice(right) {
            return;
        }
        let (l, r) = if is_comparison {
            (quote!(*left), quote!(*right))
        } else {
            (quote!(left), quote!(right))
        };
        let mut value: TokenStream = quote!(#l #op #r);
        for other in others {
            let choice = self.add(line, &format!("{other} in {before}"));
            let other: BinOp = syn::parse_str(other).expect("an operator");
            value = quote!(if #choice { #l #other #r } else { #value });
        }
        *expr = if is_comparison {
            parse_quote!((match (&(#left), &(#right)) { (left, right) => #value }))
        } else {
            parse_quote!((match (#left, #right) { (left, right) => #value }))
        };
    }

    fn method(&mut self, expr: &mut Expr, before: &str) {
        let Expr::MethodCall(call) = expr else { return };
        let line = call.method.span().start().line;
        let (name, at) = (call.method.to_string(), call.method.span());
        let (receiver, arguments) = (&call.receiver, &call.args);
        if arguments.len() != 1 {
            return;
        }
        if let Some(other) = rules::opposite(&name) {
            let choice = self.add(line, &format!("{other} in {before}"));
            let (method, other) = (&call.method, Ident::new(other, at));
            *expr = parse_quote!((match (#receiver, #arguments) { (left, right) =>
                if #choice { left.#other(right) } else { left.#method(right) } }));
        } else if let Some(other) = rules::opposite_of_closure(&name) {
            let choice = self.add(line, &format!("{other} in {before}"));
            let (method, other) = (&call.method, Ident::new(other, at));
            *expr = parse_quote!((if #choice { #receiver.#other(#arguments) } else { #receiver.#method(#arguments) }));
        }
    }

    fn path(&mut self, expr: &mut Expr) {
        let Expr::Path(path) = expr else { return };
        let segments = &path.path.segments;
        let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
            return;
        };
        let (line, name) = (last.ident.span().start().line, last.ident.to_string());
        if segments.len() == 1 {
            if rules::MASKS.contains(&name.as_str()) {
                let choice = self.add(line, &format!("0 for {name}"));
                *expr = parse_quote!((if #choice { 0 } else { #expr }));
            }
            return;
        }
        if first.ident == "Ordering" && name != "Relaxed" {
            let choice = self.ordering(line, &name);
            *expr = parse_quote!((if #choice { Ordering::Relaxed } else { #expr }));
        } else if (first.ident == "W" || first.ident == "WordOf")
            && let Some(other) = rules::word_constant(&name)
        {
            let choice = self.add(line, &format!("{other} for {name}"));
            let mut replaced = path.clone();
            if let Some(last) = replaced.path.segments.last_mut() {
                last.ident = Ident::new(other, last.ident.span());
            }
            *expr = parse_quote!((if #choice { #replaced } else { #expr }));
        }
    }

    fn literal(&mut self, expr: &mut Expr) {
        let Expr::Lit(literal) = expr else { return };
        let line = literal.lit.span().start().line;
        let other: Expr = match &literal.lit {
            Lit::Int(value) if value.base10_digits() == "0" => parse_quote!(1),
            Lit::Int(value) if value.base10_digits() == "1" => parse_quote!(0),
            Lit::Bool(value) if value.value => parse_quote!(false),
            Lit::Bool(_) => parse_quote!(true),
            _ => return,
        };
        let choice = self.add(line, &format!("{} for {}", text(&other), text(&*expr)));
        *expr = parse_quote!((if #choice { #other } else { #expr }));
    }

    /// The orderings that a macro's text names.
    fn orderings_in(&mut self, tokens: TokenStream) -> TokenStream {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut out = TokenStream::new();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            if let TokenTree::Group(group) = token {
                let inner = self.orderings_in(group.stream());
                out.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
                continue;
            }
            if let (TokenTree::Ident(first), Some(TokenTree::Ident(name))) =
                (token, tokens.get(at + 2))
                && first == "Ordering"
                && name != "Relaxed"
            {
                let choice = self.ordering(name.span().start().line, &name.to_string());
                out.extend(quote!((if #choice { Ordering::Relaxed } else { Ordering::#name })));
                at += 3;
                continue;
            }
            out.extend([token.clone()]);
        }
        out
    }
}

impl VisitMut for Mutator<'_> {
    fn visit_item_mut(&mut self, item: &mut Item) {
        match item {
            Item::Const(_) | Item::Static(_) => {}
            Item::Macro(item) if item.ident.as_ref().is_some_and(|name| name == "word") => {
                self.function = "word!".to_owned();
                item.mac.tokens = self.orderings_in(item.mac.tokens.clone());
            }
            Item::Macro(_) => {}
            // Of the file of clocks only the orderings are of interest.
            _ if self.file == "clock" => {}
            _ => visit_mut::visit_item_mut(self, item),
        }
    }

    fn visit_item_mod_mut(&mut self, module: &mut ItemMod) {
        if !is_for_tests(&module.attrs) {
            visit_mut::visit_item_mod_mut(self, module);
        }
    }

    fn visit_item_impl_mut(&mut self, item: &mut ItemImpl) {
        let of = item
            .trait_
            .as_ref()
            .and_then(|(_, path, _)| path.segments.last());
        if !of.is_some_and(|name| name.ident == "Debug" || name.ident == "Display") {
            visit_mut::visit_item_impl_mut(self, item);
        }
    }

    fn visit_item_fn_mut(&mut self, item: &mut ItemFn) {
        self.function(&item.sig, &mut item.block);
    }

    fn visit_impl_item_fn_mut(&mut self, item: &mut ImplItemFn) {
        self.function(&item.sig, &mut item.block);
    }

    fn visit_trait_item_fn_mut(&mut self, item: &mut TraitItemFn) {
        if let Some(block) = &mut item.default {
            self.function(&item.sig, block);
        }
    }

    fn visit_impl_item_const_mut(&mut self, _: &mut syn::ImplItemConst) {}
    fn visit_pat_mut(&mut self, _: &mut Pat) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_attribute_mut(&mut self, _: &mut Attribute) {}
    fn visit_generic_argument_mut(&mut self, _: &mut syn::GenericArgument) {}

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        let guard = arm.guard.as_ref().map(|(_, guard)| (**guard).clone());
        visit_mut::visit_arm_mut(self, arm);
        if let (Some((token, guard)), Some(original)) = (&mut arm.guard, guard) {
            self.condition(token.span.start().line, guard, &original);
        }
    }

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        let is_removed = match stmt {
            Stmt::Expr(expr, Some(_)) => is_removable(expr),
            Stmt::Local(local) => matches!(local.pat, Pat::Wild(_)),
            _ => false,
        };
        let (line, before) = (stmt.span().start().line, text(stmt));
        visit_mut::visit_stmt_mut(self, stmt);
        if is_removed {
            let choice = self.add(line, &format!("no {before}"));
            *stmt = parse_quote!(if !#choice { #stmt });
        }
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        if is_choice(expr) {
            return;
        }
        if let Expr::If(handwritten) = &mut *expr
            && is_choice(&handwritten.cond)
        {
            // What was put in by hand is no place for more.
            if let Some((_, otherwise)) = &mut handwritten.else_branch {
                self.visit_expr_mut(otherwise);
            }
            return;
        }
        let (original, before) = (expr.clone(), text(expr));
        visit_mut::visit_expr_mut(self, expr);
        match (&mut *expr, &original) {
            (Expr::If(new), Expr::If(old)) => {
                self.condition(old.if_token.span.start().line, &mut new.cond, &old.cond);
            }
            (Expr::While(new), Expr::While(old)) => {
                self.condition(old.while_token.span.start().line, &mut new.cond, &old.cond);
            }
            (Expr::Unary(unary), _) if matches!(unary.op, UnOp::Not(_)) => {
                let line = unary.op.span().start().line;
                let choice = self.add(line, &format!("no ! in {before}"));
                let inner = &unary.expr;
                *expr =
                    parse_quote!((match #inner { value => if #choice { value } else { !value } }));
            }
            (Expr::Binary(_), _) => self.binary(expr, &before),
            (Expr::MethodCall(_), _) => self.method(expr, &before),
            (Expr::Path(_), _) => self.path(expr),
            (Expr::Lit(_), _) => self.literal(expr),
            _ => {}
        }
    }
}
