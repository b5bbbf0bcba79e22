"""The limits of one provider and its pause, taken together: when a call may go, and what stands in its way."""

from proxy.core.errors import ProviderPaused, QuotaExhausted, RateLimited
from proxy.sansio.bucket import Bucket, Buckets
from proxy.sansio.pause import Pause

Refusal = RateLimited | ProviderPaused | QuotaExhausted


class Gate:
    """What every call to a provider passes. limits: the configured ones and the pause; configured: those alone."""

    __slots__ = ("buckets", "configured", "limits", "pause")

    def __init__(self, buckets: tuple[Bucket, ...], pause: Pause) -> None:
        self.pause = pause
        self.limit_to(buckets)

    def limit_to(self, buckets: tuple[Bucket, ...]) -> None:
        """Take these limits from now on."""
        self.buckets = buckets
        self.configured = buckets[0] if len(buckets) == 1 else Buckets(buckets)
        self.limits = Buckets((*buckets, self.pause))

    def cause(self, now: float, ahead: int) -> str:
        """Name what the wait is for: of limits and pause the one that lets the call go last."""
        at, cause = max(
            [(bucket.free_at(now, ahead), f"the limit {bucket.rate}") for bucket in self.buckets],
            default=(now, "its turn"),
        )
        if self.pause.free_at(now, ahead) > at:
            return "a call that finds out whether the quota is back" if self.pause.held else "the provider's pause"
        return cause

    def refusal(self, now: float, ahead: int, until: float) -> Refusal:
        """Say why a call with `ahead` others before it can't go by the instant `until`."""
        wait_s = self.limits.free_at(now, ahead) - now
        if not self.buckets or self.pause.free_at(now, ahead) > until:
            if self.pause.held:
                detail = f"the provider said that the quota is used up; a call can go in {wait_s:.3f} s"
                return QuotaExhausted(detail, retry_after_s=wait_s)
            detail = f"the provider asked for a pause; a call can go in {wait_s:.3f} s"
            return ProviderPaused(detail, retry_after_s=wait_s)
        tightest = max(self.buckets, key=lambda bucket: bucket.free_at(now, ahead))
        return RateLimited(
            f"the configured rate limit has no room; a call can go in {wait_s:.3f} s",
            retry_after_s=wait_s,
            limits=tuple(bucket.rate for bucket in self.buckets),
            tightest=tightest.rate,
            remaining=int(tightest.tokens(now)),
        )
