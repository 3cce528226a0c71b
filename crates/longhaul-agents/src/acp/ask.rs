//! A tool call that an agent asks about, out of the many shapes that agents give it.

use crate::clip;
use crate::json::{Json, Object};
use crate::limits::RAW_BYTES_MAX;

/// A tool call that the agent asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionAsk {
    /// Names the question in `Client::answer`.
    pub number: usize,
    /// The call.
    pub call_id: String,
    /// The tool by its name, or else the protocol's word for what it does: `edit`, `execute`, ….
    /// Never the title, which the model may have written.
    pub tool: String,
    /// What the agent calls what it is about to do, for people.
    pub title: String,
    /// The command, whole, if it runs one; empty if it does not say which.
    pub command: Option<String>,
    /// The paths that it writes to. The root stands for one that it does not say.
    pub writes: Vec<String>,
    /// The arguments as JSON, at most 2 KiB of them.
    pub args: String,
}

/// Names under which agents give the path of a file.
const PATHS: &[&str] = &["file_path", "filePath", "filepath", "path", "abs_path"];

/// Reads the `toolCall` of a question.
pub(super) fn read(number: usize, call: &Object<'_>) -> PermissionAsk {
    let input = call.object("rawInput").unwrap_or_default();
    let kind = call.word("kind");
    let command = input.text("command").map(|command| command.into_owned());
    let command = command.or_else(|| (kind == "execute").then(String::new));
    PermissionAsk {
        number,
        call_id: call.word("toolCallId").into_owned(),
        tool: tool(call),
        title: clip::head(&call.word("title"), RAW_BYTES_MAX).to_owned(),
        command,
        writes: writes(call, &input, &kind),
        args: clip::head(call.get("rawInput").map(Json::raw).unwrap_or_default(), RAW_BYTES_MAX)
            .to_owned(),
    }
}

fn tool(call: &Object<'_>) -> String {
    let meta = call.object("_meta").unwrap_or_default();
    let of_vendor = || meta.object("claudeCode")?.text("toolName");
    let name = call.text("name").or_else(of_vendor).or_else(|| meta.text("toolName"));
    let name = name.or_else(|| call.text("kind")).filter(|name| !name.is_empty());
    name.map_or_else(|| "other".to_owned(), |name| name.into_owned())
}

fn writes(call: &Object<'_>, input: &Object<'_>, kind: &str) -> Vec<String> {
    let objects = |name| call.items(name).into_iter().filter_map(Json::object);
    let diffs = objects("content").filter(|content| content.word("type") == "diff");
    let mut paths: Vec<String> = diffs.map(|diff| diff.word("path").into_owned()).collect();
    if paths.is_empty() && !matches!(kind, "edit" | "delete" | "move") {
        return paths;
    }
    paths.extend(objects("locations").map(|place| place.word("path").into_owned()));
    paths.extend(PATHS.iter().filter_map(|name| input.text(name)).map(|path| path.into_owned()));
    paths.retain(|path| !path.is_empty());
    paths.sort_unstable();
    paths.dedup();
    if paths.is_empty() {
        paths.push("/".to_owned());
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(call: &str) -> PermissionAsk {
        read(0, &Object::parse(call).unwrap())
    }

    #[test]
    fn a_title_is_no_name() {
        let ask = of(r#"{"toolCallId":"1","title":"Read","kind":"execute"}"#);
        assert_eq!((ask.tool.as_str(), ask.title.as_str()), ("execute", "Read"));
        assert_eq!(of(r#"{"title":"Read"}"#).tool, "other");
        assert_eq!(of(r#"{"kind":"edit","_meta":{"toolName":"write_file"}}"#).tool, "write_file");
    }

    #[test]
    fn a_command_that_is_not_told_is_known_as_one() {
        let told = of(r#"{"kind":"execute","rawInput":{"command":"git status"}}"#);
        assert_eq!(told.command.as_deref(), Some("git status"));
        assert_eq!(of(r#"{"kind":"execute","title":"git status"}"#).command.as_deref(), Some(""));
        assert_eq!(of(r#"{"kind":"fetch"}"#).command, None);
    }

    #[test]
    fn every_path_that_is_told_counts_and_one_that_is_not_is_anywhere() {
        let ask =
            of(r#"{"kind":"edit","rawInput":{"file_path":"/r/b"},"locations":[{"path":"/r/c"}],
                        "content":[{"type":"diff","path":"/r/a"},{"type":"content"}]}"#);
        assert_eq!(ask.writes, ["/r/a", "/r/b", "/r/c"]);
        assert_eq!(of(r#"{"kind":"delete"}"#).writes, ["/"]);
        assert_eq!(of(r#"{"kind":"read","locations":[{"path":"/r/c"}]}"#).writes, [""; 0]);
    }
}
