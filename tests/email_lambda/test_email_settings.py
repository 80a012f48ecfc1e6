import stat

import boto3
import pytest
from moto import mock_aws

from email_lambda import settings
from email_lambda.senders import FolderSender, SesSender, SmtpSender
from email_lambda.settings import SECRET_LIFE, Misconfigured, SsmSecret
from email_lambda.store import DynamoStore, SqliteStore

LOCAL = {
    "MHMS_EMAIL_SECRET": "a secret of at least thirty-two bytes",
    "MHMS_EMAIL_SENDER": "folder",
    "MHMS_EMAIL_FROM": "no-reply@linden.example",
}


@pytest.fixture
def env(tmp_path):
    return LOCAL | {"MHMS_EMAIL_FOLDER": str(tmp_path)}


@pytest.fixture
def aws(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        yield boto3.client("ssm")


def test_a_folder_is_enough_at_home(env, tmp_path):
    folder = tmp_path / "var" / "mail"
    chosen = settings.read(env | {"MHMS_EMAIL_FOLDER": str(folder)})
    assert chosen.sender == FolderSender(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert isinstance(chosen.store, SqliteStore)
    assert chosen.secret() == LOCAL["MHMS_EMAIL_SECRET"].encode()


def test_smtp_is_encrypted_unless_told_otherwise(env):
    env |= {"MHMS_EMAIL_SENDER": "smtp", "MHMS_SMTP_HOST": "mail.example", "MHMS_SMTP_USERNAME": "u"}
    assert settings.read(env).sender == SmtpSender("mail.example", 587, username="u", starttls=True)
    env |= {"MHMS_SMTP_PORT": "25", "MHMS_SMTP_STARTTLS": "false"}
    assert settings.read(env).sender == SmtpSender("mail.example", 25, username="u", starttls=False)


def test_the_cloud_needs_names_only(aws):
    chosen = settings.read(
        {
            "MHMS_EMAIL_SECRET_PARAMETER": "/mhms/dev/email-secret",
            "MHMS_EMAIL_SENDER": "ses",
            "MHMS_EMAIL_FROM": "no-reply@linden.example",
            "MHMS_EMAIL_TABLE": "keys",
        }
    )
    assert isinstance(chosen.sender, SesSender)
    assert isinstance(chosen.store, DynamoStore)
    assert chosen.sender.client.meta.config.retries["total_max_attempts"] == 1
    aws.put_parameter(Name="/mhms/dev/email-secret", Value="s" * 32, Type="SecureString")
    assert chosen.secret() == b"s" * 32


def test_the_secret_is_kept_for_a_while_and_then_read_again(aws, clock):
    def put(value):
        aws.put_parameter(Name="/secret", Value=value, Type="SecureString", Overwrite=True)

    secret = SsmSecret(aws, "/secret", clock)
    put("1" * 32)
    assert secret() == b"1" * 32
    put("2" * 32)
    assert secret() == b"1" * 32
    clock.now += SECRET_LIFE
    assert secret() == b"2" * 32


def test_an_unknown_parameter_is_asked_for_again(aws):
    secret = SsmSecret(aws, "/secret")
    with pytest.raises(aws.exceptions.ParameterNotFound):
        secret()
    aws.put_parameter(Name="/secret", Value="1" * 32, Type="SecureString")
    assert secret() == b"1" * 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"MHMS_EMAIL_SECRET": ""}, "MHMS_EMAIL_SECRET is not set"),
        ({"MHMS_EMAIL_SECRET": "hunter2"}, "MHMS_EMAIL_SECRET must hold at least 32 bytes"),
        ({"MHMS_EMAIL_SENDER": "pigeon"}, "MHMS_EMAIL_SENDER must be ses, smtp or folder"),
        ({"MHMS_EMAIL_FROM": ""}, "MHMS_EMAIL_FROM is not set"),
        ({"MHMS_EMAIL_FROM": "Linden <a@b.example>"}, "MHMS_EMAIL_FROM must be a bare e-mail address"),
        ({"MHMS_EMAIL_FROM": "a@b.example\nBcc: c@d.example"}, "MHMS_EMAIL_FROM must be a bare e-mail address"),
        ({"MHMS_EMAIL_FOLDER": ""}, "MHMS_EMAIL_FOLDER is not set"),
        ({"MHMS_EMAIL_SENDER": "smtp"}, "MHMS_SMTP_HOST is not set"),
        (
            {"MHMS_EMAIL_SENDER": "smtp", "MHMS_SMTP_HOST": "mail.example", "MHMS_SMTP_PORT": "0"},
            "MHMS_SMTP_PORT must be a port number",
        ),
    ],
)
def test_a_wrong_setting_is_named(env, change, said):
    with pytest.raises(Misconfigured) as error:
        settings.read(env | change)
    assert str(error.value) == said
