# Installs the Stickpress agent on a Windows host, as a service, or updates it.
#
#   Set-ExecutionPolicy -Scope Process -ExecutionPolicy Bypass -Force
#   .\install-agent.ps1 -Server https://console.example -Token TOKEN [-Name bench-1] [-CAFingerprint HEX]
#
# Run it in an elevated PowerShell beside stickpress-agent.exe. The token comes
# from the console's hosts page and works once. Running it again with a newer
# program beside it updates the agent; then no token is needed.
#
#   -CaptureDir D:\images, E:\vm   folders whose virtual disks may be captured
#   -CacheLimit 200G               what images and masters may take on the disk
#
# These two are the service's: give all that shall hold whenever you give one.
#Requires -Version 5.1
#Requires -RunAsAdministrator
[CmdletBinding()]
param(
    [string] $Server,
    [string] $Token,
    [string] $Name,
    [string] $CAFingerprint,
    [string[]] $CaptureDir,
    [string] $CacheLimit
)
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 2.0

$service = 'stickpress-agent'
$source = Join-Path $PSScriptRoot 'stickpress-agent.exe'
$folder = Join-Path $env:ProgramW6432 'Stickpress' # the same from a 32-bit PowerShell
$agent = Join-Path $folder 'stickpress-agent.exe'
$state = Join-Path $env:ProgramData 'Stickpress\agent\agent.json'

# What can be wrong with the call is found before anything is changed.
if (-not (Test-Path -LiteralPath $source)) { throw "There is no program at $source." }
$enrolled = Test-Path -LiteralPath $state
if (-not $enrolled -and -not ($Server -and $Token)) { throw 'This host is not enrolled: -Server and -Token are needed.' }
$flags = @()
foreach ($dir in $CaptureDir) {
    $full = (Resolve-Path -LiteralPath $dir).ProviderPath
    # A backslash before the quote that is put behind a path with spaces would hide it.
    if ($full.Length -gt 3) { $full = $full.TrimEnd('\') }
    $flags += "--capture-dir=$full"
}
if ($CacheLimit) { $flags += "--cache-limit=$CacheLimit" }

# Call runs the agent and stops at its failure.
function Call {
    & $agent @args
    if ($LASTEXITCODE -ne 0) { throw "stickpress-agent $($args[0]) failed with status $LASTEXITCODE" }
}

$installed = $null -ne (Get-Service -Name $service -ErrorAction SilentlyContinue)
$running = $installed -and (Get-Service -Name $service).Status -ne 'Stopped'
if ($running) {
    Write-Host 'Stopping the service; sticks that were begun are finished first.'
    Stop-Service -Name $service
}
try {
    New-Item -ItemType Directory -Force -Path $folder | Out-Null
    if ($source -ne $agent) {
        # The service has stopped, but its process may live for a moment longer.
        for ($attempt = 1; ; $attempt++) {
            try {
                Copy-Item -Force -LiteralPath $source -Destination $agent
                break
            } catch {
                if ($attempt -ge 20) { throw }
                Start-Sleep -Milliseconds 500
            }
        }
    }
    Unblock-File -LiteralPath $agent

    if (-not $enrolled) {
        $env:STICKPRESS_AGENT_TOKEN = $Token # not on the command line, which others can see
        $more = @()
        if ($Name) { $more += "--name=$Name" }
        if ($CAFingerprint) { $more += "--ca-fingerprint=$CAFingerprint" }
        try { Call enroll $Server @more } finally { Remove-Item Env:STICKPRESS_AGENT_TOKEN }
    }
    if ($installed -and $flags) {
        Call service uninstall
        $installed = $false
    }
    if (-not $installed) { Call service install @flags }
    Call service start
} catch {
    if ($running) { Start-Service -Name $service -ErrorAction SilentlyContinue } # as it was, where it still is
    throw
}
Call devices
