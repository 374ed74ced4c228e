import re
from typing import Any

import jsonschema
import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from jobs.error_statuses import STATUSES

Document = dict[str, Any]


@pytest.fixture
def document(client: FlaskClient) -> Document:
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json


def test_the_document_is_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_the_document_and_no_other(document: Document, app: Flask) -> None:
    described = {
        (method.upper(), path) for path, item in document["paths"].items() for method in item
    }

    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    assert described == served


def test_every_code_that_a_view_names_is_explained(document: Document) -> None:
    text = str(document["paths"])

    assert [error.code for error in STATUSES if f"`{error.code}`" not in text] == []


def test_ranges_of_the_contract_are_in_the_document(document: Document) -> None:
    count = document["components"]["schemas"]["SampleParams"]["properties"]["count"]

    assert (count["minimum"], count["maximum"], count["default"]) == (1, 10_000, 100)


def test_answers_fit_the_document(
    document: Document, client: FlaskClient, checkpoint_id: str
) -> None:
    body = {"kind": "sample", "params": {"checkpoint": checkpoint_id}}
    job = client.post("/api/v1/jobs", json=body).json
    bad = client.post("/api/v1/jobs", json={"kind": "sample", "params": {"count": 0}})

    _check(document, body, _request_schema(document, "/api/v1/jobs"))
    _check(document, job, _schema(document, "/api/v1/jobs", "post", "202"))
    problem = document["paths"]["/api/v1/jobs"]["post"]["responses"]["422"]["content"]
    _check(document, bad.json, problem["application/problem+json"]["schema"])
    for path, url in [
        ("/api/v1/jobs", "/api/v1/jobs"),
        ("/api/v1/jobs/{job_id}", f"/api/v1/jobs/{job['id']}"),
        ("/api/v1/jobs/{job_id}/shards", f"/api/v1/jobs/{job['id']}/shards"),
        ("/api/v1/jobs/{job_id}/artifacts", f"/api/v1/jobs/{job['id']}/artifacts"),
        ("/api/v1/checkpoints", "/api/v1/checkpoints"),
        ("/api/v1/checkpoints/{checkpoint_id}", f"/api/v1/checkpoints/{checkpoint_id}"),
        ("/api/v1/jobs/{job_id}/curves", f"/api/v1/jobs/{job['id']}/curves"),
        ("/api/v1/datasets", "/api/v1/datasets"),
        ("/api/v1/datasets/{dataset_id}", "/api/v1/datasets/synthetic"),
        ("/api/v1/uploads", "/api/v1/uploads"),
        ("/api/v1/workers", "/api/v1/workers"),
    ]:
        _check(document, client.get(url).json, _schema(document, path, "get", "200"))


def _schema(document: Document, path: str, method: str, status: str) -> Document:
    content = document["paths"][path][method]["responses"][status]["content"]
    return dict(content["application/json"]["schema"])


def _request_schema(document: Document, path: str) -> Document:
    content = document["paths"][path]["post"]["requestBody"]["content"]
    return dict(content["application/json"]["schema"])


def _check(document: Document, value: object, schema: Document) -> None:
    whole = {"components": document["components"], **schema}
    jsonschema.Draft202012Validator(whole).validate(value)
