//! Rhai's list and map functions that take closures, again: here an error of the closure passes
//! through unwrapped, and `sort` and `dedup` report it instead of dropping it.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, FnPtr, INT, Map, Module, NativeCallContext};

use super::add;
use crate::callback::Callback;
use crate::failure::{self, Native};
use crate::value;

type Context<'a> = NativeCallContext<'a>;

pub(super) fn register(module: &mut Module) {
    register_lists(module);
    register_searches(module);
    register_folds(module);
    register_orders(module);
    register_maps(module);
}

fn register_lists(module: &mut Module) {
    add(module, "for_each", |context: Context<'_>, list: &mut Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        for (index, item) in list.iter_mut().enumerate() {
            callback.call_element(Some(item), [], [position(index)], None).map(drop)?;
        }
        Ok::<_, failure::Raise>(())
    });
    add(module, "map", |context: Context<'_>, mut list: Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        let each =
            |(index, item)| callback.call_element(Some(item), [], [position(index)], Some(0));
        list.iter_mut().enumerate().map(each).collect::<Native<Array>>()
    });
    add(module, "filter", |context: Context<'_>, mut list: Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        let mut kept = Array::new();
        for (index, item) in list.iter_mut().enumerate() {
            if holds(&callback, item, index)? {
                kept.push(item.clone());
            }
        }
        Ok::<_, failure::Raise>(kept)
    });
    add(module, "zip", |context: Context<'_>, left: Array, right: Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        let pairs = left.into_iter().zip(right).enumerate();
        pairs
            .map(|(index, (left, right))| {
                callback.call_element(None, [left, right], [position(index)], None)
            })
            .collect::<Native<Array>>()
    });
    add(module, "drain", |context: Context<'_>, list: &mut Array, body: FnPtr| {
        part(&context, list, body, true)
    });
    add(module, "retain", |context: Context<'_>, list: &mut Array, body: FnPtr| {
        part(&context, list, body, false)
    });
}

/// Removes the elements for which the closure says `removes`, and returns them. An error leaves the
/// list as it was.
fn part(context: &Context<'_>, list: &mut Array, body: FnPtr, removes: bool) -> Native<Array> {
    let callback = Callback::new(context, body);
    let (mut kept, mut removed) = (Array::new(), Array::new());
    for (index, item) in list.clone().iter_mut().enumerate() {
        let goes = holds(&callback, item, index)? == removes;
        if goes { &mut removed } else { &mut kept }.push(item.clone());
    }
    *list = kept;
    Ok(removed)
}

fn register_searches(module: &mut Module) {
    add(module, "find", |context: Context<'_>, list: Array, body: FnPtr| {
        search(&context, list, body, 0).map(|found| found.map_or(Dynamic::UNIT, |found| found.1))
    });
    add(module, "find", |context: Context<'_>, list: Array, body: FnPtr, start: INT| {
        search(&context, list, body, start)
            .map(|found| found.map_or(Dynamic::UNIT, |found| found.1))
    });
    add(module, "index_of", |context: Context<'_>, list: Array, body: FnPtr| {
        search(&context, list, body, 0).map(|found| found.map_or(-1, |found| number(found.0)))
    });
    add(module, "index_of", |context: Context<'_>, list: Array, body: FnPtr, start: INT| {
        search(&context, list, body, start).map(|found| found.map_or(-1, |found| number(found.0)))
    });
    add(module, "some", |context: Context<'_>, list: Array, body: FnPtr| {
        search(&context, list, body, 0).map(|found| found.is_some())
    });
    add(module, "all", |context: Context<'_>, mut list: Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        for (index, item) in list.iter_mut().enumerate() {
            if !holds(&callback, item, index)? {
                return Ok(false);
            }
        }
        Ok::<_, failure::Raise>(true)
    });
    add(module, "find_map", |context: Context<'_>, list: Array, body: FnPtr| {
        find_map(&context, list, body, 0)
    });
    add(module, "find_map", |context: Context<'_>, list: Array, body: FnPtr, start: INT| {
        find_map(&context, list, body, start)
    });
}

fn find_map(context: &Context<'_>, mut list: Array, body: FnPtr, start: INT) -> Native {
    let callback = Callback::new(context, body);
    let first = first(list.len(), start);
    for (index, item) in list.iter_mut().enumerate().skip(first) {
        let found = callback.call_element(Some(item), [], [position(index)], Some(0))?;
        if !found.is_unit() {
            return Ok(found);
        }
    }
    Ok(Dynamic::UNIT)
}

fn search(
    context: &Context<'_>,
    mut list: Array,
    body: FnPtr,
    start: INT,
) -> Native<Option<(usize, Dynamic)>> {
    let callback = Callback::new(context, body);
    let first = first(list.len(), start);
    for (index, item) in list.iter_mut().enumerate().skip(first) {
        if holds(&callback, item, index)? {
            return Ok(Some((index, item.clone())));
        }
    }
    Ok(None)
}

fn register_folds(module: &mut Module) {
    add(module, "reduce", |context: Context<'_>, list: Array, body: FnPtr| {
        fold(&context, list, body, Dynamic::UNIT, false)
    });
    add(module, "reduce", |context: Context<'_>, list: Array, body: FnPtr, initial: Dynamic| {
        fold(&context, list, body, initial, false)
    });
    add(module, "reduce_rev", |context: Context<'_>, list: Array, body: FnPtr| {
        fold(&context, list, body, Dynamic::UNIT, true)
    });
    add(
        module,
        "reduce_rev",
        |context: Context<'_>, list: Array, body: FnPtr, initial: Dynamic| {
            fold(&context, list, body, initial, true)
        },
    );
}

fn fold(
    context: &Context<'_>,
    mut list: Array,
    body: FnPtr,
    initial: Dynamic,
    backwards: bool,
) -> Native {
    let callback = Callback::new(context, body);
    let mut each = |result, (index, item): (usize, &mut Dynamic)| {
        callback.call_element(Some(item), [result], [position(index)], Some(1))
    };
    let mut items = list.iter_mut().enumerate();
    if backwards { items.rev().try_fold(initial, each) } else { items.try_fold(initial, &mut each) }
}

fn register_orders(module: &mut Module) {
    for name in ["sort", "sort_by"] {
        add(module, name, |context: Context<'_>, list: &mut Array, body: FnPtr| {
            *list = ordered(&context, list.clone(), body)?;
            Ok::<_, failure::Raise>(())
        });
    }
    for name in ["order", "order_by"] {
        add(module, name, |context: Context<'_>, list: Array, body: FnPtr| {
            ordered(&context, list, body)
        });
    }
    add(module, "dedup", |context: Context<'_>, list: &mut Array, body: FnPtr| {
        let callback = Callback::new(&context, body);
        let mut kept: Array = Array::new();
        for item in list.iter() {
            let same = match kept.last() {
                None => false,
                Some(last) => truth(&callback.call([last.clone(), item.clone()])?),
            };
            if !same {
                kept.push(item.clone());
            }
        }
        *list = kept;
        Ok::<_, failure::Raise>(())
    });
}

/// A stable merge sort: a comparator may fail, and one that contradicts itself still ends.
fn ordered(context: &Context<'_>, list: Array, body: FnPtr) -> Native<Array> {
    let callback = Callback::new(context, body);
    let mut runs: Vec<Array> = list.into_iter().map(|item| vec![item]).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(left) = pairs.next() {
            merged.push(match pairs.next() {
                Some(right) => merge(context, &callback, left, right)?,
                None => left,
            });
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default())
}

fn merge(
    context: &Context<'_>,
    callback: &Callback<'_>,
    left: Array,
    right: Array,
) -> Native<Array> {
    let mut merged = Array::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(first), Some(second)) = (left.peek(), right.peek()) {
        let answer = callback.call([first.clone(), second.clone()])?;
        let takes_right = compared(context, &answer)? == Ordering::Greater;
        merged.extend(if takes_right { right.next() } else { left.next() });
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

fn compared(context: &Context<'_>, answer: &Dynamic) -> Native<Ordering> {
    if let Ok(number) = answer.as_int() {
        return Ok(number.cmp(&0));
    }
    if let Ok(in_order) = answer.as_bool() {
        return Ok(if in_order { Ordering::Less } else { Ordering::Greater });
    }
    answer.as_float().ok().and_then(|number| number.partial_cmp(&0.0)).ok_or_else(|| {
        let found = value::describe(answer);
        let message =
            format!("a comparison returns a number (below, at or above 0), found {found}");
        failure::bad_argument(context, message)
    })
}

fn register_maps(module: &mut Module) {
    add(module, "map", |context: Context<'_>, mut map: Map, body: FnPtr| {
        let callback = Callback::new(&context, body);
        let mut mapped = Map::new();
        for (name, item) in &mut map {
            let key = name.as_str().into();
            mapped.insert(name.clone(), callback.call_element(Some(item), [key], [], Some(1))?);
        }
        Ok::<_, failure::Raise>(mapped)
    });
    add(module, "filter", |context: Context<'_>, map: Map, body: FnPtr| {
        split(&context, map, body).map(|(held, _)| held)
    });
    add(module, "drain", |context: Context<'_>, map: &mut Map, body: FnPtr| {
        let (held, rest) = split(&context, map.clone(), body)?;
        *map = rest;
        Ok::<_, failure::Raise>(held)
    });
    add(module, "retain", |context: Context<'_>, map: &mut Map, body: FnPtr| {
        let (held, rest) = split(&context, map.clone(), body)?;
        *map = held;
        Ok::<_, failure::Raise>(rest)
    });
}

/// The members for which the closure holds, and the others.
fn split(context: &Context<'_>, mut map: Map, body: FnPtr) -> Native<(Map, Map)> {
    let callback = Callback::new(context, body);
    let (mut held, mut rest) = (Map::new(), Map::new());
    for (name, item) in &mut map {
        let answer = callback.call_element(Some(item), [name.as_str().into()], [], Some(1))?;
        if truth(&answer) { &mut held } else { &mut rest }.insert(name.clone(), item.clone());
    }
    Ok((held, rest))
}

fn holds(callback: &Callback<'_>, item: &mut Dynamic, index: usize) -> Native<bool> {
    callback.call_element(Some(item), [], [position(index)], Some(0)).map(|answer| truth(&answer))
}

fn truth(answer: &Dynamic) -> bool {
    answer.as_bool().unwrap_or(false)
}

fn number(index: usize) -> INT {
    INT::try_from(index).unwrap_or(INT::MAX)
}

fn position(index: usize) -> Dynamic {
    number(index).into()
}

/// Where a search begins: from the end when it is negative.
fn first(length: usize, start: INT) -> usize {
    match usize::try_from(start) {
        Ok(start) => start,
        Err(_) => {
            length.saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX))
        }
    }
}
