// SPDX-License-Identifier: Apache-2.0
// The only file that knows the command line library.
#include "app/command/command_line.h"

#include <CLI/CLI.hpp>

#include "app/config/settings.h"

namespace headrace::app {
namespace {

constexpr char kFooter[] =
    "Examples:\n"
    "  headrace serve --demo                      serve on http://127.0.0.1:8080 with an agent "
    "that reports this machine\n"
    "  headrace serve --config headrace.yaml      serve as a file says\n"
    "  headrace tail --type system_metrics        show messages as they arrive\n"
    "  headrace deadletters list                  what receivers refused, and why\n\n"
    "Exit codes: 0 done, 1 failed, 2 the command line or the config is wrong, 3 there is no such "
    "thing,\n"
    "            4 damage was found, 5 the server cannot be reached.";

class Reader {
 public:
  explicit Reader(CommandLine& out)
      : out_(out),
        app_("Headrace: leads what devices, agents and people report to who keeps it.",
             "headrace") {
    app_.require_subcommand(1);
    app_.footer(kFooter);
    app_.set_version_flag("--version", "headrace " HEADRACE_VERSION);
    app_.failure_message(CLI::FailureMessage::help);
    app_.failure_message([](CLI::App const* app, CLI::Error const& error) {
      return std::string(error.what()) + "\nSee " + app->get_name() + " --help.\n";
    });
    add_serve();
    add_agent();
    add_check();
    add_config();
    add_tail();
    add_dead_letters();
    add_user();
    add_log();
    verb(app_, "version", "Print the version.", Verb::kVersion)
        ->footer("Prints \"headrace MAJOR.MINOR.PATCH\" and ends.");
  }

  bool read(int argc, char const* const* argv, int& exit_code) {
    try {
      app_.parse(argc, argv);
    } catch (CLI::ParseError const& error) {
      exit_code = app_.exit(error) == 0 ? kExitOk : kExitUsage;
      return false;
    }
    if (!data_.empty()) out_.config.overrides.push_back("data_dir=" + data_);
    if (!config_.empty()) out_.config.file = config_;
    return true;
  }

 private:
  CLI::App* verb(CLI::App& parent, std::string const& name, std::string const& help, Verb verb) {
    auto* sub = parent.add_subcommand(name, help);
    sub->callback([this, verb] { out_.verb = verb; });
    return sub;
  }

  void config_options(CLI::App& sub) {
    sub.add_option("-c,--config", config_, "The config file; without it the defaults hold")
        ->type_name("FILE");
    sub.add_option("-d,--data", data_, "The data directory; the same as --set data_dir=DIR")
        ->type_name("DIR");
    sub.add_option("-s,--set", out_.config.overrides,
                   "Override a key of the config; may be repeated")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
  }

  void server_options(CLI::App& sub) {
    config_options(sub);
    sub.add_option("--server", out_.server,
                   "Address of the server; default: the one that runs on the data directory")
        ->type_name("URL");
    sub.add_option("--token-file", out_.token_file,
                   "File with the token to send to --server; default: $HEADRACE_TOKEN")
        ->type_name("FILE");
  }

  void add_serve() {
    auto* sub = verb(app_, "serve", "Run the server until SIGTERM or SIGINT.", Verb::kServe);
    config_options(*sub);
    sub->add_flag("--demo", out_.demo, "Also report this machine's system metrics");
    sub->add_option("--print-ports", out_.ports_file,
                    "Write the ports as JSON once they are open: {\"http\":8080}")
        ->type_name("FILE");
    sub->footer(
        "Examples:\n"
        "  headrace serve --demo\n"
        "  headrace serve --config headrace.yaml --data /var/lib/headrace\n"
        "  headrace serve --set http.listen=127.0.0.1:0 --print-ports ports.json\n"
        "SIGTERM and SIGINT stop it within stop_deadline; the second one stops it at once. SIGHUP "
        "reads certificates again.");
  }

  void add_agent() {
    auto* sub = verb(app_, "agent", "Report this machine to a server.", Verb::kAgent);
    config_options(*sub);
    sub->footer(
        "Examples:\n"
        "  headrace agent --set agent.server=ws://metrics.example:8080/agent --set "
        "agent.token_file=/etc/headrace/token\n"
        "  headrace agent --set agent.collectors.system.period=5s --data /var/lib/headrace-agent\n"
        "While the server is away, messages wait in a spool below the data directory.");
  }

  void add_check() {
    auto* sub =
        verb(app_, "check", "Name everything that is wrong with a config file.", Verb::kCheck);
    sub->add_option("file", out_.file, "The file; - for standard input")
        ->required()
        ->type_name("FILE");
    sub->footer(
        "Prints FILE:LINE:COLUMN: what is wrong, one a line, and exits with 2; with 0 when all is "
        "well.");
  }

  void add_config() {
    auto* sub =
        verb(app_, "config", "Print the config in force, with comments; secrets are hidden.",
             Verb::kConfig);
    config_options(*sub);
    sub->add_flag("--reference", out_.reference,
                  "Print the page of all keys instead (docs/guide/configuration.md)");
    sub->footer("Example:\n  headrace config > headrace.yaml      a file to begin with");
  }

  void add_tail() {
    auto* sub =
        verb(app_, "tail", "Show messages as they arrive, one JSON object a line.", Verb::kTail);
    server_options(*sub);
    sub->add_option("-t,--type", out_.types, "Only of this data type; may be repeated")
        ->type_name("TYPE")
        ->allow_extra_args(false);
    sub->add_option("--source", out_.sources, "Only from this source; may be repeated")
        ->type_name("ID")
        ->allow_extra_args(false);
    sub->add_option("-n,--count", out_.count, "End after so many messages")->type_name("N");
    sub->footer("Example:\n  headrace tail --type system_metrics --source node-1 -n 10");
  }

  void add_dead_letters() {
    auto* group = app_.add_subcommand("deadletters",
                                      "What receivers refused for good: list, show, retry, drop.");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  headrace deadletters list --receiver archive\n"
        "  headrace deadletters show archive 17\n"
        "  headrace deadletters retry archive --all\n"
        "  headrace deadletters drop archive 17 18\n"
        "They go to the server that runs on the data directory; when none does, the data is opened "
        "for the command.");
    auto* list = verb(*group, "list", "List them.", Verb::kDeadLettersList);
    server_options(*list);
    list->add_option("-r,--receiver", out_.receiver, "Only of this receiver")->type_name("NAME");
    list->add_option("-n,--count", out_.count, "At most so many")->type_name("N");
    list->add_flag("--json", out_.json, "As JSON, one object a line");
    struct Change {
      char const *name, *help;
      Verb verb;
    };
    for (auto const& change :
         {Change{"show", "Show one with its message.", Verb::kDeadLettersShow},
          Change{"retry", "Send them to their receiver again.", Verb::kDeadLettersRetry},
          Change{"drop", "Remove them for good.", Verb::kDeadLettersDrop}}) {
      auto* sub = verb(*group, change.name, change.help, change.verb);
      server_options(*sub);
      sub->add_option("receiver", out_.receiver, "The receiver")->required()->type_name("RECEIVER");
      auto* ids = sub->add_option("id", out_.ids, "The dead letters")->type_name("ID");
      if (change.verb == Verb::kDeadLettersShow)
        ids->required();
      else
        sub->add_flag("--all", out_.all, "All of this receiver")->excludes(ids);
    }
  }

  void add_user() {
    auto* group = app_.add_subcommand(
        "user", "Who may report and read: add, list, ban, unban, remove, token, revoke.");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  headrace user add node-1                  add an agent; prints its token once\n"
        "  headrace user add alice --role viewer     admin, agent or viewer\n"
        "  headrace user token node-1 --expires 90d  one more token\n"
        "  headrace user list node-1                 its tokens, by id\n"
        "  headrace user revoke node-1 3f2a9c0d      by the token's id\n"
        "As soon as there is a user, every request needs a token.");
    auto* add = user_verb(*group, "add", "Add a user and print a token for it.", Verb::kUserAdd);
    add->add_option("--role", out_.role, "What it may do")
        ->check(CLI::IsMember({"admin", "agent", "viewer"}))
        ->capture_default_str();
    add->add_option("--expires", out_.expires, "The token ends after this, as 90d")
        ->type_name("DURATION");
    auto* list = verb(*group, "list", "List users, or the tokens of one.", Verb::kUserList);
    server_options(*list);
    list->add_option("name", out_.user, "Its tokens")->type_name("NAME");
    list->add_flag("--json", out_.json, "As JSON");
    user_verb(*group, "ban", "Refuse all tokens of a user, at once.", Verb::kUserBan);
    user_verb(*group, "unban", "Take them again.", Verb::kUserUnban);
    user_verb(*group, "remove", "Remove a user with its tokens and claims.", Verb::kUserRemove);
    auto* token = user_verb(*group, "token", "Make one more token for a user and print it.",
                            Verb::kUserToken);
    token->add_option("--expires", out_.expires, "It ends after this, as 90d")
        ->type_name("DURATION");
    auto* revoke = user_verb(*group, "revoke", "Revoke one token of a user.", Verb::kUserRevoke);
    revoke->add_option("token", out_.token_id, "The token's id: the part between its underscores")
        ->required()
        ->type_name("TOKEN_ID");
  }

  CLI::App* user_verb(CLI::App& group, char const* name, char const* help, Verb v) {
    auto* sub = verb(group, name, help, v);
    server_options(*sub);
    sub->add_option("name", out_.user, "The user")->required()->type_name("NAME");
    return sub;
  }

  void add_log() {
    auto* group =
        app_.add_subcommand("log", "The stored log: verify, repair. No server may run on it.");
    group->require_subcommand(1);
    group->footer(
        "Examples:\n"
        "  headrace log verify --data ./data    reads every byte; exits with 4 when there is "
        "damage\n"
        "  headrace log repair --data ./data    keeps every good record; moves damaged files to "
        "data/log/damaged");
    config_options(*verb(*group, "verify", "Read every byte of the log and name what is damaged.",
                         Verb::kLogVerify));
    config_options(*verb(*group, "repair", "Make a damaged log readable again.", Verb::kLogRepair));
  }

  CommandLine& out_;
  std::string config_, data_;
  CLI::App app_;
};

}  // namespace

std::optional<CommandLine> read_command_line(int argc, char const* const* argv, int& exit_code) {
  CommandLine out;
  Reader reader(out);
  if (!reader.read(argc, argv, exit_code)) return std::nullopt;
  return out;
}

}  // namespace headrace::app
