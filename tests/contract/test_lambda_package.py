"""What would be deployed: the package is really built, and the template really compiled, without AWS."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "email_lambda"
PINS = dict(re.findall(r"^([\w-]+)==(\S+)", (SOURCE / "requirements.txt").read_text(), re.MULTILINE))
NOWHERE = "http://127.0.0.1:9"


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of the folder after ``osls package``."""
    folder = tmp_path_factory.mktemp("package") / "email_lambda"
    shutil.copytree(
        SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", ".build", ".serverless", "__pycache__")
    )
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {"PATH": path}
    offline = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)

    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, env=env, check=True)
    subprocess.run([sys.executable, "build.py"], cwd=folder, env=env, check=True)
    subprocess.run(["npx", "--no-install", "osls", "package"], cwd=folder, env=env | offline, check=True)
    return folder


@pytest.fixture(scope="module")
def shipped(package):
    with zipfile.ZipFile(package / ".build" / "email_lambda.zip") as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def resources(package):
    template = package / ".serverless" / "cloudformation-template-update-stack.json"
    return json.loads(template.read_text())["Resources"]


def test_the_package_holds_the_handler_and_what_it_needs(shipped):
    for name in (
        *("email_lambda/handler.py", "email_lambda/messages.py", "email_lambda/templates/layout.html"),
        *("email_lambda/templates/booking_confirmation.txt", "jinja2/environment.py", "icalendar/cal/calendar.py"),
        *("tzdata/zoneinfo/Europe/Berlin", "pydantic_core/_pydantic_core.cpython-312-x86_64-linux-gnu.so"),
    ):
        assert name in shipped


def test_the_package_holds_nothing_else(shipped):
    own = {name for name in shipped if name.startswith("email_lambda/")}
    tools = {"build.py", "local.py"}
    sources = {path.relative_to(SOURCE.parent).as_posix() for path in SOURCE.glob("*.py") if path.name not in tools}
    sources |= {path.relative_to(SOURCE.parent).as_posix() for path in (SOURCE / "templates").iterdir()}
    assert own == sources
    assert not [name for name in shipped if name.startswith("mhms_app") or name.endswith(".pyc")]


def test_the_package_holds_every_pin_and_no_more(shipped):
    installed = dict(re.findall(r"^([\w.]+)-([\w.]+)\.dist-info/METADATA$", "\n".join(sorted(shipped)), re.MULTILINE))
    assert {canonical(name): number for name, number in installed.items()} == {
        canonical(name): number for name, number in PINS.items()
    }


def test_these_tests_ran_with_the_versions_that_are_shipped():
    assert {name: version(name) for name in PINS} == PINS


def test_the_secret_is_deployed_by_name_only(resources):
    function = resources["SendLambdaFunction"]["Properties"]
    assert function["Runtime"] == "python3.12"
    assert function["Handler"] == "email_lambda.handler.lambda_handler"
    assert function["Environment"]["Variables"] == {
        "MHMS_EMAIL_SENDER": "ses",
        "MHMS_EMAIL_FROM": "no-reply@clinic.example",
        "MHMS_EMAIL_TABLE": {"Ref": "SentKeys"},
        "MHMS_EMAIL_SECRET_PARAMETER": "/mhms/dev/email-secret",
    }


def test_the_function_may_do_four_things_and_write_its_log(resources):
    (policy,) = resources["IamRoleLambdaExecution"]["Properties"]["Policies"]
    allowed = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        if not statement["Action"][0].startswith("logs:"):
            allowed[tuple(statement["Action"])] = json.dumps(statement["Resource"])
    arn = "arn:${AWS::Partition}:%s:${AWS::Region}:${AWS::AccountId}:%s"
    assert allowed == {
        ("ses:SendEmail", "ses:SendRawEmail"): json.dumps({"Fn::Sub": arn % ("ses", "identity/clinic.example")}),
        ("dynamodb:PutItem", "dynamodb:DeleteItem"): json.dumps({"Fn::GetAtt": ["SentKeys", "Arn"]}),
        ("ssm:GetParameter",): json.dumps({"Fn::Sub": arn % ("ssm", "parameter/mhms/dev/email-secret")}),
    }


def test_an_invocation_ends_before_the_lease_of_its_key(resources):
    from email_lambda.store import LEASE

    assert resources["SendLambdaFunction"]["Properties"]["Timeout"] < LEASE


def test_the_table_forgets_by_itself(resources):
    assert resources["SentKeys"]["Properties"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }


def test_only_one_route_is_open(resources):
    routes = [r["Properties"]["RouteKey"] for r in resources.values() if r["Type"] == "AWS::ApiGatewayV2::Route"]
    assert routes == ["POST /"]


def test_the_lock_names_no_download_address():
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    assert [name for name, entry in lock["packages"].items() if "resolved" in entry] == []
