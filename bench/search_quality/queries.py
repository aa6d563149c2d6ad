"""Labelled queries, our own writing: what people and models ask, and which tools are right.

A line is ``query | answers``. An answer is a tool's name at any server, or ``server/tool``; both may hold ``*``.
Every second line of a kind is for tuning, the others are only reported: nothing was chosen by looking at them.
"""

# ruff: noqa: E501 (a query and its answers stand on one line)

from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from bench.search_quality.languages import LANGUAGES, lines_of

TERSE: Final = """
current time | get_current_time
convert timezone | convert_time
commit changes | git_commit create_dolt_commit
git log | git_log
unstage | git_reset unstage_table unstage_all_tables
open pull request | create_pull_request create_pull_request_with_copilot
merge pr | merge_pull_request
fork repo | fork_repository
weather | weather/get_current_weather weather/get_forecast
track package | parcels/track_parcel get_shipment_tracking
send slack message | conversations_add_message sendSlackNotification
slack channels | channels_list listSlackChannels
jira sprint issues | jira_get_sprint_issues
confluence page | confluence_get_page getConfluencePage confluence_create_page
take screenshot | browser_take_screenshot take_screenshot browserbase_screenshot screenshotPage
click button | browser_click chrome-devtools-mcp/click
scrape website | firecrawl_scrape scrape_as_markdown scrape_batch extract-web-data tavily_extract webCrawl
web search | tavily_search firecrawl_search brave_web_search search_engine webSearch web_search perplexity_ask
decompile function | decompile_function
set breakpoint | dbg_set_breakpoint
kubernetes apply | apply_resource
container image tags | oci-registry/list_tags
cve lookup | query_vulnerability get_vulnerability query_vulnerabilities_batch falcon_search_vulnerabilities
feature flag | get-feature-flag list-feature-flags create-feature-flag switchboard/* update-feature-flag
prometheus query | execute_query query_prometheus execute_range_query query_metrics
loki logs | query_loki_logs find_error_pattern_logs
oncall | get_current_oncall_users list_oncalls get_oncall_shift list_oncall_schedules list_oncall_users
refund | create_refund
invoice | create_invoice finalize_invoice finalise_invoice get_invoice list_invoices send_invoice
flights | search-flight search_flights flight_status
read file | read_file read_text_file read_multiple_files
directory tree | directory_tree
vector search | vector_search_hash chroma_query_documents
knowledge graph | read_graph create_entities search_nodes open_nodes create_relations
explain query | explain_query explain_sql_statement get_query_plan get_execution_plan mongodb/explain
slow queries | list_slow_queries get_top_queries find_slow_requests pg_outliers
mermaid | validate_and_render_mermaid_diagram
arxiv | search_papers arxiv-mcp-server/*
chart | generate_plot
restart dyno | ps_restart
""".strip()

WORDY: Final = """
I need to know what time it is right now in Tokyo | get_current_time convert_time
if it is 3 pm in Berlin, what is that in New York? | convert_time
show me what changed in my working tree but is not staged yet | git_diff_unstaged git_status
record the staged changes with a message in the repository | git_commit
make a new branch to work on a fix | git_create_branch create_branch create_dolt_branch
go back to the main branch | git_checkout
download the contents of a web page and turn it into markdown | fetch firecrawl_scrape scrape_as_markdown fetch_page
make a new folder on disk | filesystem*/create_directory
find all files whose name matches a pattern | search_files
change a few lines in a text file without rewriting it | edit_file
how big is that file and when was it modified | get_file_info
which folders am I allowed to read | list_allowed_directories
remember that Anna works at Acme | create_entities create_relations add_observations store_memory
forget what you know about this person | delete_entities delete_observations delete_memory
think a hard problem through one step after another | sequentialthinking
please open a ticket about a bug in my GitHub repository | create_issue issue_write add_issue_comment github*/*issue*
what did the reviewers say about this pull request | get_pull_request_reviews get_pull_request_comments pull_request_read mr_discussions
find code in all repositories that uses a deprecated function | search_code
who am I logged in as on GitHub | get_me
why did my last CI build fail | get_build_failure_logs read_logs get_job_logs get_pipeline_job_output get_failed_executions search_logs tail_logs
find tests that sometimes fail without a reason | find_flaky_tests
run the failed GitHub Actions jobs once more | rerun_failed_jobs rerun_workflow_run
stop a GitLab pipeline that is running | cancel_pipeline
move a Jira ticket to done | jira_transition_issue transitionJiraIssue
add a comment to a Jira issue | jira_add_comment addCommentToJiraIssue
log the hours I spent on an issue | jira_add_worklog jira_get_worklog
search our wiki for the holiday policy | confluence_search searchConfluenceUsingCql notion-search list_wiki_pages API-post-search
write a new page in Notion | notion-create-pages API-post-page
ask a question to a database of mine in plain SQL | execute_sql run_sql run_query query execute_query run_select_query exec
list all tables of the ClickHouse database | mcp-clickhouse/list_tables
what columns does this table have | describe_table describe_table_schema get_object_details
insert several documents into a MongoDB collection | insert-many insert_document
which index would make this SQL statement faster | analyze_query_indexes analyze_workload_indexes prepare_query_tuning
count how many documents there are in a collection | mongodb/count chroma_get_collection_count EstimateDocumentCount
put a value under a key with an expiration | redis/set redis/expire hset
add a member with a score to a sorted set | zadd
push an element to the left of a list | lpush
charge a customer again every month | create_subscription create_subscription_plan create_price
give a customer their money back | create_refund
a customer disputes a payment, show me the case | list_disputes get_dispute update_dispute
what is the balance of our Stripe account | retrieve_balance
deploy a container image to Google Cloud | deploy_container_image
how much would this AWS architecture cost me | generate_cost_report get_pricing analyze_cdk_project analyze_terraform_project
draw a picture of my cloud architecture | generate_diagram cloudarchitect
turn on the lights in the living room | entity_action call_service_tool
which automations do I have at home | list_automations
show the dashboards about latency | search_dashboards get_dashboard_by_uid
silence an alert for two hours | silence_alert
which engineer has to be called tonight | get_current_oncall_users list_oncalls get_oncall_shift list_schedule_users
create an incident because the site is down | create_incident
check this code for security holes | semgrep_scan security_check semgrep_scan_local semgrep_scan_with_custom_rule analyze_code_snippet
is there a known vulnerability in this npm package | query_vulnerability query_vulnerabilities_batch get_vulnerability
does the project pass its quality gate | get_project_quality_gate_status
find hosts that are infected with malware | falcon_search_detections falcon_search_hosts falcon_search_indicators falcon_search_incidents falcon_search_behaviors
how full are the disks of that Linux machine | get_disk_usage
which processes use the most memory on the server | list_processes get_process_info get_memory_information
what ports is this machine listening on | get_listening_ports
fill in the registration form on that page | fill_form browser_fill_form fill browser_type
wait until the page shows a certain text | wait_for browser_wait_for
press the enter key in the browser | press_key browser_press_key
go one page back in the browser | browser_navigate_back
record a performance trace of a page load | performance_start_trace
choose an entry of a drop-down list | browser_select_option
how do I get from the station to the museum on foot | directions maps_directions
restaurants close to my hotel | nearby_places maps_search_places brave_local_search
what are the coordinates of this address | geocode maps_geocode
is my flight delayed | flight_status
tell me when the ticket gets cheaper | price_alert
will it rain tomorrow | get_forecast
when is high tide | get_tides
how much would it cost to post this parcel | estimate_delivery parcels/*
how many strokes does this kanji have | count_strokes
make this picture smaller | resize_image
cut the person out of the photo | remove_background
order lunch for the team | order_lunch
what can I eat today in the canteen | todays_menu
write down a quick note | create_note append_to_note
did we make money this quarter | profit_and_loss
assign the support ticket to a colleague | assign_ticket
look up a customer's phone number | find_contact
read the docs of a library in the right version | get-library-docs query-docs resolve-library-id
find a machine learning model for translation | model_search search_models model_details
train a model of my own | create_trainings
generate a picture from a prompt | gr1_flux1_schnell_infer create_predictions create_models_predictions publishImage
send an email to tell them it is finished | sendEmailNotification
summarise recent posts from an RSS feed | ingestRSS
list everyone in the workspace | notion-get-users API-get-users list_users list_users_and_teams
create a row on a Monday board | monday/create_item
export my design as a PDF | export-design get-export-formats
which releases of the app had the most errors | find_releases search_issues search_events
let the AI find the root cause of an exception | analyze_issue_with_seer
read the smart contract's code on chain | read_contract get_source get_abi
which tokens does this wallet hold | get_token_balances_on_network
scale the web process of my app to three | ps_scale
back up the Heroku Postgres database | pg_backups
undo the last migration on a development database branch | reset_branch reset_from_parent supabase/*branch*
find a Terraform module for a VPC | search_modules get_module_details
start a Terraform plan run | create_run
which policies are violated in my cluster | show_violations apply_policies
peers in my VPN network | list_netbird_peers
ask questions about the contents of a file in Box | box_ai_ask_file_single_tool box_ai_ask_file_multi_tool
what does this assembly routine call | get_xrefs_to disassemble_function get_callees decompile_function
""".strip()

MISSPELT: Final = """
curent time in tokio | get_current_time
convrt time zone | convert_time
git comit | git_commit
creat pull reqest | create_pull_request create_pull_request_with_copilot
serch repositorys | search_repositories
screnshot of the page | browser_take_screenshot take_screenshot browserbase_screenshot screenshotPage
wether forecast | get_forecast weather/*
trak parcel | track_parcel
confluense page create | confluence_create_page createConfluencePage
kubernets resources list | list_resources
vulnerabilty of package | query_vulnerability get_vulnerability query_vulnerabilities_batch
read multple files | read_multiple_files
prometeus metrics | list_metrics prometheus/* list_prometheus_metric_names query_prometheus
transfrom image format | convert_image
knowlege graph | read_graph create_entities search_nodes
playright click | browser_click
strpe refund | create_refund
calender list | listGoogleCalendars listMicrosoftCalendars
direktory listing | list_directory list_directories list_directory_with_sizes
delet branch | delete_branch delete_dolt_branch
""".strip()

EXACT: Final = """
git_diff_staged | git_diff_staged
browser_take_screenshot | browser_take_screenshot
getConfluencePage | getConfluencePage
API-post-search | API-post-search
create_pull_request | create_pull_request
get_current_time | get_current_time
query | dolt/query
set | redis/set
aggregate | aggregate
resolve-library-id | resolve-library-id
pg_outliers | pg_outliers
fetch | fetch
zadd | zadd
SearchWixSDKDocumentation | SearchWixSDKDocumentation
falcon_show_crowd_score | falcon_show_crowd_score
dbg_set_breakpoint | dbg_set_breakpoint
hf_whoami | hf_whoami
look_up_word | look_up_word
Read_Graph | read_graph
CREATE_INVOICE | create_invoice
""".strip()

PARTS: Final = """
list issues linear | linear/list_issues
slack history | conversations_history
create issue gitlab | gitlab*/create_issue
github list commits | github*/list_commits
stripe create invoice | stripe*/create_invoice
paypal list invoices | paypal/list_invoices
sentry search issues | sentry*/search_issues
neon run sql | *neon/run_sql
redis get | redis/get redis/hget redis/json_get
mongodb find | mongodb/find
sqlite list tables | sqlite/list_tables
supabase execute sql | supabase/execute_sql
terraform list workspaces | terraform/list_workspaces
grafana create alert rule | grafana/create_alert_rule
pagerduty list services | pagerduty/list_services
buildkite list pipelines | buildkite/list_pipelines
notion search | notion-search API-post-search
read file from filesystem | filesystem*/read_file filesystem*/read_text_file
aws search documentation | aws*/search_documentation
vercel deployments | vercel/list_deployments vercel/get_deployment
chroma add documents | chroma_add_documents
canva search designs | search-designs
heroku app logs | get_app_logs
monday create board | monday/create_board
replicate list models | replicate/list_models
""".strip()

OTHER_LANGUAGES: Final = """
東京の天気予報 | get_forecast get_current_weather
言葉を調べる | look_up_word
漢字の画数 | count_strokes
天气预报 | get_forecast get_current_weather
aktuelle Uhrzeit | get_current_time
""".strip()

LONG: Final = """
What time is it in Buenos Aires when it is 09:30 in Kolkata on the 14th of March 2027? | convert_time
Commit what is staged with the message "Fix off-by-one in paginator (closes 4312)" and author Jane Roe | git_commit
Create a branch called hotfix/2027-01-login from the tag v3.14.2 in /srv/checkout/webshop | git_create_branch create_branch
Read lines 100 to 180 of /home/maria/projects/atlas/config/settings.prod.toml | read_file read_text_file
Open an issue titled "Crash when uploading 4 GB files" in acme/uploader with the labels bug and p1, assigned to @lee | create_issue issue_write github*/*issue*
Merge pull request 1287 of acme/website using squash, and take the title as its message | merge_pull_request
Give back 49.90 EUR of the charge ch_3Nabc to the customer because the parcel 00340434 never arrived | create_refund
Send "Deploy of build 7741 is done, see the dashboard" to the channel release-room | conversations_add_message sendSlackNotification
What will the weather be like in Reykjavik, Iceland, between the 3rd and the 9th of June? | get_forecast
Find flights from Lisbon (LIS) to Oslo (OSL) on 2027-05-02 for two adults and one child below 300 dollars | search-flight search_flights
Give me the latitude and longitude of 350 Fifth Avenue, New York, NY 10118 | geocode maps_geocode
Walk me from Alexanderplatz 1 to the Pergamon Museum and tell how many minutes it takes at 4 km/h | directions maps_directions
Resize /tmp/in/holiday-0042.jpg to 1280 x 720 pixels and keep its ratio | resize_image
Set the key session:8f2a to the value 42 and let it expire after 3600 seconds | redis/set redis/expire hset
Run SELECT name, total FROM orders WHERE created_at > '2026-12-01' ORDER BY total DESC LIMIT 20 | execute_sql run_sql run_query query execute_query run_select_query exec
Take a screenshot of https://shop.example/cart?id=77 at 1920x1080 once it has loaded | browser_take_screenshot take_screenshot browserbase_screenshot screenshotPage
""".strip()

AGENT: Final = """
I have finished the code change. Now I need a tool that records staged files as a new revision in version control. | git_commit
The user wants to know about tomorrow's weather. I should look for a tool which returns a weather forecast for a place. | get_forecast
Step 3: having the address, I must turn it into coordinates. Find a geocoding tool. | geocode maps_geocode
To answer, I first have to fetch the web page at the given URL and read its text. | fetch firecrawl_scrape scrape_as_markdown fetch_page
Subtask: notify the team in chat. Requires a tool able to post a message to a Slack channel. | conversations_add_message sendSlackNotification
tool for querying Prometheus metrics with PromQL over a time range | execute_query query_prometheus execute_range_query query_metrics
Goal: find out why the build failed. Needed capability: retrieve the logs of a CI job. | get_build_failure_logs read_logs get_job_logs get_pipeline_job_output get_failed_executions search_logs tail_logs
I need to create a task in the issue tracker. Use GitHub. The tool should accept a title and a body. | create_issue issue_write github*/*issue*
capability: search for academic papers by topic, returns titles and abstracts | search_papers arxiv-mcp-server/*
The customer should get a refund. Look for the payment tool that issues one. | create_refund
Now list the tables so that I know what I can query; the database is SQLite. | sqlite/list_tables
Before editing I want to see the directory structure as a tree. | directory_tree
""".strip()

NOTHING: Final = """
fold the laundry
book a haircut at the salon
tune my guitar
diagnose my dog's limp
bake sourdough bread
recite the alphabet backwards in Klingon
replace the brake pads of my car
water the office plants
""".strip()


class Query(NamedTuple):
    """A query with its right answers (none: nothing is right). ``held``: reported only, never tuned on."""

    kind: str
    text: str
    answers: tuple[str, ...]
    held: bool

    def answered_by(self, server: str, tool: str) -> bool:
        """Whether this tool is a right answer."""
        return any(fnmatchcase(f"{server}/{tool}" if "/" in answer else tool, answer) for answer in self.answers)


def queries() -> list[Query]:
    """All queries."""
    kinds = {
        "terse": TERSE, "wordy": WORDY, "misspelt": MISSPELT, "exact": EXACT, "server and tool": PARTS,
        "long, with values": LONG, "agent's": AGENT, "other languages": OTHER_LANGUAGES,
        **{language: lines_of(language) for language in LANGUAGES}, "nothing": NOTHING,
    }  # fmt: skip
    results: list[Query] = []
    for kind, block in kinds.items():
        for place, line in enumerate(block.splitlines()):
            text, _, answers = line.partition(" | ")
            results.append(Query(kind, text, tuple(answers.split()), held=bool(place % 2)))
    return results
