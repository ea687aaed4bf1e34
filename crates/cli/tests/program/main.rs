//! The program as its users see it: run on real stores, judged by what it
//! prints, how it exits, and what it leaves behind.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod brokers;
#[cfg(test)]
mod check;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod completions;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod init;
#[cfg(test)]
mod interrupts;
#[cfg(test)]
mod json;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod many;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod output;
#[cfg(test)]
mod people;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod rule_warnings;
#[cfg(test)]
mod schemes;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod support;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod upgrading;
#[cfg(test)]
mod why;
