from click.testing import CliRunner

from darkroom.__main__ import main


def test_a_wrong_database_ends_the_start_with_what_is_allowed_and_without_its_password():
    url = "mysql://ada:s3cr@t@localhost/darkroom"

    answer = CliRunner().invoke(main, ["migrate"], env={"DARKROOM_DATABASE_URL": url})

    assert answer.exit_code == 1
    assert "DARKROOM_DATABASE_URL: " in answer.output
    assert "postgresql+psycopg://USER:PASSWORD@HOST/NAME" in answer.output
    assert "mysql://ada:***@localhost/darkroom" in answer.output
    assert "s3cr" not in answer.output
