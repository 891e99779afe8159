"""Tests of the embedded default; servers, sockets and child processes in them are real."""
