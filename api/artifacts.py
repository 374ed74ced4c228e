"""What jobs made: files, single images, previews, everything as a zip."""

import io

from flask import Response, request, send_file
from pydantic import Field

from api.archive import read_archive
from api.links import linked_artifact
from api.parsing import parse_query
from api.responses import IMMUTABLE, REVALIDATE, ArtifactList, json_response, not_modified
from api.routing import Route
from jobs import errors
from jobs.contract import ArtifactView, Contract
from jobs.service import JobService

PNG = "image/png"
ANY_MEDIA_TYPE = "application/octet-stream"
ZIP = "application/zip"


class PreviewQuery(Contract):
    """Whose preview is shown."""

    shard: int | None = Field(
        None, ge=0, description="Index of a shard; the first that has a preview if absent."
    )


class ArtifactRoutes:
    """What can be done with artifacts."""

    def __init__(self, service: JobService) -> None:
        """Answer from the service."""
        self._service = service

    @Route(
        "GET",
        "/jobs/<job_id>/artifacts",
        "List what a job made",
        ArtifactList,
        errors=(errors.JobNotFoundError,),
    )
    def list_artifacts(self, job_id: str) -> Response:
        """The whole's artifacts first, then the shards' pieces."""
        artifacts = self._service.list_artifacts(job_id)
        return json_response(ArtifactList(items=[linked_artifact(each) for each in artifacts]))

    @Route(
        "GET",
        "/artifacts/<artifact_id>",
        "Get a file that a job made",
        ANY_MEDIA_TYPE,
        response_headers={"ETag": "Strong: the file's SHA-256."},
        errors=(
            errors.ArtifactNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def get_artifact(self, artifact_id: str) -> Response:
        """Its bytes, or a range of them; they never change."""
        artifact = self._service.get_artifact(artifact_id)
        if artifact.sha256 in request.if_none_match:
            return not_modified(artifact.sha256)
        response = send_file(
            io.BytesIO(self._service.read_artifact(artifact_id)),
            mimetype=artifact.media_type,
            as_attachment=not artifact.media_type.startswith("image/"),
            download_name=_file_name(artifact),
            etag=artifact.sha256,
            conditional=True,
        )
        response.headers["Cache-Control"] = IMMUTABLE
        return response

    @Route(
        "GET",
        "/artifacts/<artifact_id>/images/<int:index>.png",
        "Get one image of an `images` artifact",
        PNG,
        response_headers={"ETag": "Strong: the file's SHA-256 and the index."},
        errors=(
            errors.ArtifactNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def get_image(self, artifact_id: str, index: int) -> Response:
        """A PNG that says how it was made."""
        artifact = self._service.get_artifact(artifact_id)
        etag = f"{artifact.sha256}-{index}"
        if etag in request.if_none_match:
            return not_modified(etag)
        response = Response(self._service.image_png(artifact_id, index), mimetype=PNG)
        response.set_etag(etag)
        response.headers["Cache-Control"] = IMMUTABLE
        return response

    @Route(
        "GET",
        "/jobs/<job_id>/preview",
        "See what the running images look like now",
        PNG,
        query=PreviewQuery,
        response_headers={"ETag": "Changes with every preview."},
        errors=(errors.ValidationError, errors.JobNotFoundError, errors.PreviewNotFoundError),
    )
    def get_preview(self, job_id: str) -> Response:
        """A sheet of the predicted x_0 of a shard's images."""
        preview = self._service.preview(job_id, parse_query(PreviewQuery).shard)
        response = Response(preview.png, mimetype=PNG)
        response.set_etag(preview.version)
        response.headers["Cache-Control"] = REVALIDATE
        response.make_conditional(request)
        return response

    @Route(
        "GET",
        "/jobs/<job_id>/download",
        "Get everything that a job made as one zip",
        ZIP,
        errors=(
            errors.JobNotFoundError,
            errors.ArtifactNotFoundError,
            errors.ArtifactFileNotFoundError,
            errors.ArtifactStoreError,
        ),
    )
    def download_job(self, job_id: str) -> Response:
        """job.json, its files and each image as images/000.png…, made while it is sent."""
        archive = read_archive(self._service, job_id)
        response = Response(archive.stream(), mimetype=ZIP)
        response.headers.set("Content-Disposition", "attachment", filename=f"job-{job_id}.zip")
        response.headers["Cache-Control"] = REVALIDATE
        return response


def _file_name(artifact: ArtifactView) -> str:
    part = "" if artifact.shard is None else f"-shard-{artifact.shard}"
    return f"job-{artifact.job_id}{part}-{artifact.name}"
