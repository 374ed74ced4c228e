"""Server-rendered pages for people; acts through jobs.service."""
