//! `cargo xtask gen arcp`: writes the pages that are made from the code. `tidy` says if one is stale.

use crate::tidy::arcp;
use anyhow::{Context, Result, bail};

pub(crate) fn run(args: &[String]) -> Result<()> {
    match args {
        [what] if what == "arcp" => {
            let page = arcp::page()?;
            std::fs::write(arcp::PAGE, page)
                .with_context(|| format!("failed to write {}", arcp::PAGE))
        }
        _ => bail!("`gen` makes `arcp`"),
    }
}
